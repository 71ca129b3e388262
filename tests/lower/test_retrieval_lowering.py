"""What retrieval is made of is lowered to what it means: entities, retrievers, indexes, outcomes, gates, requests."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.ir.models import CandidateSplit
from mlsd_framework.ir.retrieval import CANDIDATES, HoldOut, Interactions, Moments
from mlsd_framework.ir.system import System
from mlsd_framework.plan.compilation import compile_spec
from tests.targets.made_shop import SPEC

Compile = Callable[..., System]


@pytest.fixture
def build(tmp_path: Path) -> Compile:
    """Return a function that compiles the shop with some of its text replaced."""

    def run(*pairs: tuple[str, str]) -> System:
        text = SPEC
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "shop.yaml"
        path.write_text(text, encoding="utf-8")
        return compile_spec(path).system

    return run


def codes(build: Compile, *pairs: tuple[str, str]) -> list[str]:
    """Return the codes of what is wrong with the changed spec."""
    with pytest.raises(SpecError) as caught:
        build(*pairs)
    return [one.code for one in caught.value.diagnostics]


def test_an_entity_may_be_listed_by_a_table(build: Compile) -> None:
    """Its title is one column or several of that table; an entity without a list has neither."""
    system = build()
    item, user = system.entity("item"), system.entity("user")
    assert (item.key, item.source, item.title) == (("product_id",), "products", ("name", "kind"))
    assert (user.key, user.source, user.title) == (("user_id",), None, ())
    assert build(("title: [name, kind]", "title: name")).entity("item").title == ("name",)
    assert [entity.name for entity in system.catalogues] == ["item"]


def test_retrievers_say_who_met_what(build: Compile) -> None:
    """User and item are columns of the events; features of towers are of tables and windows, patterns unfolded."""
    system = build(("item_features: product.kind", "item_features: product.*"))
    found = {one.name: one for one in system.retrievers}
    assert list(found) == ["popular", "ease", "towers"]
    assert {one.interactions for one in found.values()} == {Interactions("purchases", "user_id", "product_id", "item")}
    towers = found["towers"]
    windows = ["habit.newest_lifetime", "habit.usual_lifetime"]
    assert [one.dotted for one in towers.user_features] == ["person.city", *windows]
    assert [one.dotted for one in towers.item_features] == ["product.kind"]
    assert [one.embeds for one in found.values()] == [False, False, True]
    assert (towers.setting("dim"), towers.setting("layers"), towers.setting("epochs")) == (8, (16,), 2)


@pytest.mark.parametrize(("written", "layers"), [("16", (16,)), ("[16]", (16,)), ("[16, 8]", (16, 8))])
def test_one_number_is_a_list_of_one(build: Compile, written: str, layers: tuple[int, ...]) -> None:
    """`layers: 16` is short for `layers: [16]`."""
    towers = next(one for one in build(("layers: 16", f"layers: {written}")).retrievers if one.name == "towers")
    assert towers.setting("layers") == layers


@pytest.mark.parametrize("written", ["true", "16.5", "wide"])
def test_what_is_no_whole_number_is_no_layer(build: Compile, written: str) -> None:
    """A text, a boolean or a fraction is no width."""
    assert set(codes(build, ("layers: 16", f"layers: {written}"))) == {"E1103"}


def test_an_index_is_over_one_models_vectors(build: Compile) -> None:
    """With what is declared; the model alone is short for it with defaults."""
    [index] = build().indexes
    assert (index.name, index.retriever.name, index.recall, index.k, index.engines) == (
        "items", "towers", 0.9, 10, ("exact",),
    )  # fmt: skip
    [short] = build(("items: {model: towers, recall: 0.9, k: 10, engines: exact}", "items: towers")).indexes
    assert (short.recall, short.k, short.engines) == (0.95, 10, ("exact", "scann"))


def test_an_outcome_is_an_event_with_a_candidate(build: Compile) -> None:
    """Of which endpoint, within what time, at how many moments; they are as far apart as it counts, or further."""
    outcome = build().outcome
    assert outcome is not None
    assert (outcome.name, outcome.endpoint, outcome.interactions.source) == ("bought", "/recommend", "purchases")
    assert (outcome.parts, outcome.negatives) == (Moments(3, timedelta(days=7), timedelta(days=7)), 20)
    further = build(("negatives: 20", "every: 14d")).outcome
    assert further is not None
    assert (further.parts, further.negatives) == (Moments(3, timedelta(days=7), timedelta(days=14)), None)


def test_an_outcome_may_be_what_is_held_out(build: Compile) -> None:
    """Of each user or item; the share alone is short for it with defaults, and models have the label's parts."""
    system = build(("within: 7d, moments: 3", "hold_out: {share: 20%, by: item, folds: 3, seed: 7}"))
    assert system.outcome is not None
    assert (system.outcome.parts, system.outcome.negatives) == (HoldOut(0.2, "item", 3, 7), 20)
    assert [one.split for one in system.models] == [CandidateSplit(held_out=True)]
    short = build(("within: 7d, moments: 3", "hold_out: 25%")).outcome
    assert short is not None
    assert short.parts == HoldOut(0.25, "user", 5, 0)


def test_candidates_have_a_score_and_a_rank_of_each_source(build: Compile) -> None:
    """A ranker reads them by pattern or by name, in the order of the sources."""
    ranker = next(one for one in build().models if one.name == "ranker")
    said = [one.name for one in ranker.features if one.group == CANDIDATES]
    assert said == [
        f"{source}_{what}" for source in ("ease", "towers", "popular", "liked") for what in ("score", "rank")
    ]
    named = build(("[candidates.*, trend.*", "[candidates.ease_rank, trend.*")).models
    assert [one.name for one in named[0].features if one.group == CANDIDATES] == ["ease_rank"]


def test_a_gate_may_be_at_a_stage_and_for_a_slice(build: Compile) -> None:
    """Both, one or none; the comparison is the same."""
    written = '["ndcg >= 0.05 at retrieve for cold_start", "ndcg > 0.1 for new_items", "ndcg >= -1e-3"]'
    there = '["ndcg >= 0.05", "recall_at_k >= 0.1 at retrieve", "ndcg >= 0.05 for onboarded"]'
    [ranker] = build((there, written)).models
    assert [(one.metric, one.op, one.value, one.stage, one.slice) for one in ranker.gates] == [
        ("ndcg", ">=", 0.05, "retrieve", "cold_start"),
        ("ndcg", ">", 0.1, None, "new_items"),
        ("ndcg", ">=", -0.001, None, None),
    ]


def test_a_gate_may_be_at_a_stage_by_its_own_name(build: Compile) -> None:
    """A stage that is called otherwise is meant by that name, and no longer by that of its kind."""
    renamed = ("      - score: ranker", "      - score: {model: ranker, as: order}")
    at = ("at retrieve", "at order")
    assert build(renamed, at).models[0].gates[1].stage == "order"
    assert codes(build, renamed, ("at retrieve", "at score")) == ["E2106"]
    assert codes(build, ("at retrieve", "at fetch")) == ["E2106"]


def test_the_moment_of_a_request_is_now_unless_it_says_so(build: Compile) -> None:
    """What the history and live features are read at; other columns have plain defaults."""
    [endpoint] = build().serving
    assert dict(endpoint.defaults) == {"at": "now", "interests": (), "k": 10}
    retrieve = next(one for one in endpoint.pipeline if one.kind == "retrieve")
    assert retrieve.settings.moment == "at"  # type: ignore[union-attr] # those of `retrieve`
    without = build(("      at: {type: timestamp, default: now}\n", "")).serving[0]
    assert next(one for one in without.pipeline if one.kind == "retrieve").settings.moment is None  # type: ignore[union-attr] # as above
    assert codes(build, ("k: {type: int32, default: 10", "k: {type: int32, default: now")) == ["E2032"]


def test_a_cache_has_a_time_and_a_size(build: Compile) -> None:
    """The time alone is short for it with the usual size."""
    cache = build().serving[0].cache
    assert cache is not None
    assert (cache.ttl, cache.memory) == (timedelta(seconds=60), 64 * 1024 * 1024)
    sized = build(("cache: 60s", "cache: {ttl: 5s, memory: 1MB}")).serving[0].cache
    assert sized is not None
    assert (sized.ttl, sized.memory) == (timedelta(seconds=5), 1024 * 1024)
    assert build(("    cache: 60s\n", "")).serving[0].cache is None
