"""The built-in kinds as one plugin, named in the package's own entry points."""

from mlsd_framework import __version__
from mlsd_framework.kinds.aggregates.functions import AGGREGATES
from mlsd_framework.kinds.metrics.builtin import METRICS
from mlsd_framework.kinds.models.catboost_classifier.kind import CatBoostClassifier
from mlsd_framework.kinds.models.catboost_ranker.kind import CatBoostRanker
from mlsd_framework.kinds.models.deep_ranker.kind import DeepRanker
from mlsd_framework.kinds.models.isolation_forest.kind import IsolationForest
from mlsd_framework.kinds.models.linear_ranker.kind import LinearRanker
from mlsd_framework.kinds.retrievers.als import Als
from mlsd_framework.kinds.retrievers.buy_again import BuyAgain
from mlsd_framework.kinds.retrievers.content import Content
from mlsd_framework.kinds.retrievers.ease import Ease
from mlsd_framework.kinds.retrievers.item_item import ItemItem
from mlsd_framework.kinds.retrievers.popularity import Popularity
from mlsd_framework.kinds.retrievers.recent import Recent
from mlsd_framework.kinds.retrievers.two_tower.kind import TwoTower
from mlsd_framework.kinds.sources.events.kind import Events
from mlsd_framework.kinds.sources.simulated.kind import Simulated
from mlsd_framework.kinds.sources.table.kind import Table
from mlsd_framework.kinds.stages.boost.kind import Boost
from mlsd_framework.kinds.stages.cap.kind import Cap
from mlsd_framework.kinds.stages.compute.kind import Compute
from mlsd_framework.kinds.stages.decide.kind import Decide
from mlsd_framework.kinds.stages.diversify.kind import Diversify
from mlsd_framework.kinds.stages.explain.kind import Explain
from mlsd_framework.kinds.stages.explore.kind import Explore
from mlsd_framework.kinds.stages.expose.kind import Expose
from mlsd_framework.kinds.stages.fallback.kind import Fallback
from mlsd_framework.kinds.stages.fetch.kind import Fetch
from mlsd_framework.kinds.stages.filter.kind import Filter
from mlsd_framework.kinds.stages.freshen.kind import Freshen
from mlsd_framework.kinds.stages.retrieve.kind import Retrieve
from mlsd_framework.kinds.stages.rules.kind import Rules
from mlsd_framework.kinds.stages.score.kind import Score
from mlsd_framework.kinds.stages.spread.kind import Spread
from mlsd_framework.kinds.stages.take.kind import Take
from mlsd_framework.plugin import Plugin

PLUGIN = Plugin(
    name="builtin",
    version=__version__,
    sources=(Events(), Table(), Simulated()),
    aggregates=AGGREGATES,
    models=(CatBoostClassifier(), CatBoostRanker(), DeepRanker(), IsolationForest(), LinearRanker()),
    retrievers=(Popularity(), BuyAgain(), Recent(), ItemItem(), Ease(), Als(), Content(), TwoTower()),
    stages=(
        Fetch(),
        Compute(),
        Retrieve(),
        Filter(),
        Score(),
        Boost(),
        Freshen(),
        Spread(),
        Diversify(),
        Expose(),
        Cap(),
        Explore(),
        Take(),
        Rules(),
        Decide(),
        Explain(),
        Fallback(),
    ),
    metrics=METRICS,
)
