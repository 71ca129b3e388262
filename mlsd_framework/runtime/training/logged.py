"""A log with propensities as the requests of a test: what a pipeline would have earned is estimated from it.

The requests are asked again as of their own time. What a reward model says comes from the time before the test.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.ranking_metrics.off_policy import Log
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, IntArray, Relevant
from mlsd_framework.runtime.reranking.chances import Chances
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training.artefacts import read_dataset
from mlsd_framework.runtime.training.candidate_examples import REQUEST, Asked
from mlsd_framework.runtime.training.impressions import ITEM, NUMBER, USER, Pages
from mlsd_framework.runtime.training.parts import Moment
from mlsd_framework.runtime.training.recommendation.subject import LoggedPolicy
from mlsd_framework.runtime.training.retrieved import Retrieved, histories_from, met_of

_PLACE, _REWARD, _PROPENSITY = "__place", "__reward", "__propensity"
_SHRINK = 20.0  # showings that the mean of all counts for
_REQUESTS, _HISTORY, _CANDIDATES, _ROWS, _RATES = (
    f"logged_{name}.parquet" for name in ("requests", "history", "candidates", "rows", "rates")
)


@dataclass(frozen=True, slots=True)
class LoggedActions:
    """Which columns of impressions say what was earned, in which place from 1, and how probable that showing was.

    Without `position` every row is of the first place. Rewards are known `known_after` the showing.
    """

    pages: Pages
    reward: str
    propensity: str
    position: str | None = None
    known_after: timedelta = timedelta(0)

    def of(self, impressions: pl.LazyFrame, catalogue: Catalogue, part: Moment) -> "Logged":
        """Return the rows of the part that have a propensity and a reward, and a model of rewards of the time before.

        Raises RunError: E6384 where there is no such row, E6383 for a propensity that is none, E6385 for a position
        below 1.
        """
        rows = self.pages.within(impressions, part.at, part.at + part.horizon, **self._read)
        rows = rows.drop_nulls([_PLACE, _REWARD, _PROPENSITY])
        rows = rows.with_columns(pl.col(NUMBER).rank("dense").cast(pl.Int64) - 1)
        if rows.is_empty():
            what = f"no impression of the test has a `{self.propensity}` and a `{self.reward}`"
            raise RunError.of("E6384", what, help="log the propensity of what is shown, or leave `off_policy` out")
        chance = rows[_PROPENSITY].to_numpy()
        wrong = ~((chance > 0) & (chance <= 1))
        if wrong.any():
            what = f"`{self.propensity}` of an impression is {chance[wrong][0]:g}"
            raise RunError.of("E6383", what, expected="above 0 and at most 1")
        if (below := rows.filter(pl.col(_PLACE) < 0)).height:
            what = f"`{self.position}` of an impression is {below[_PLACE][0] + 1}"
            raise RunError.of("E6385", what, expected="1 for the first place")
        requests = self.pages.requests(rows)
        nothing = Relevant(np.zeros(requests.height + 1, np.int64), np.empty(0, np.int32))
        users = rows[USER].rank("dense").cast(pl.Int64)
        told = rows.select(NUMBER, _PLACE, _REWARD, _PROPENSITY).with_columns(
            pl.Series(ITEM, catalogue.codes(rows[ITEM])), users
        )
        return Logged(Asked(requests, nothing, part), told, self._rates(impressions, catalogue, part.at))

    @property
    def _read(self) -> dict[str, pl.Expr]:
        place = pl.lit(0) if self.position is None else pl.col(self.position) - 1
        return {
            _PLACE: place.cast(pl.Int64),
            _REWARD: pl.col(self.reward).cast(pl.Float64),
            _PROPENSITY: pl.col(self.propensity).cast(pl.Float64),
        }

    def _rates(self, impressions: pl.LazyFrame, catalogue: Catalogue, before: int) -> "Rates":
        needed = [name for name in (self.reward, self.position) if name is not None]
        end = before - round(self.known_after / timedelta(microseconds=1))
        rows = (
            impressions.filter(pl.col(self.pages.time).dt.timestamp("us") < end)
            .drop_nulls([*needed, self.pages.item])
            .select(pl.col(self.pages.item).alias(ITEM), **self._read)
            .collect()
        )
        codes, places = catalogue.codes(rows[ITEM]), rows[_PLACE].to_numpy()
        kept = (codes >= 0) & (places >= 0)
        return Rates.fit(codes[kept], places[kept], rows[_REWARD].to_numpy()[kept], len(catalogue))


@dataclass(frozen=True, slots=True)
class Rates:
    """A model of rewards: a mean of all, and how far that of an item, [items], and of a place, [places], is from it.

    Both are shrunk towards nothing, the more so the less often they were shown.
    """

    mean: float
    items: FloatArray
    places: FloatArray

    @classmethod
    def fit(cls, items: Codes, places: IntArray, rewards: FloatArray, count: int) -> "Rates":
        """Return the means of rows: [rows] each, items among `count`."""
        mean = float(rewards.mean()) if len(rewards) else 0.0
        high = int(places.max(initial=-1)) + 1
        of_place = np.bincount(places, rewards - mean, high) / (np.bincount(places, minlength=high) + _SHRINK)
        rest = rewards - mean - of_place[places]
        of_item = np.bincount(items, rest, count) / (np.bincount(items, minlength=count) + _SHRINK)
        return cls(mean, of_item, of_place)

    def of(self, items: Codes, places: IntArray) -> FloatArray:
        """Return the reward that is expected of items in places: [rows]; an unknown one counts as the mean does."""
        known = places < len(self.places)
        found = np.full(len(items), self.mean)
        found[known] += self.places[places[known]]
        found[items >= 0] += self.items[items[items >= 0]]
        return found


@dataclass(frozen=True)
class Logged:
    """The requests that a log is of, its rows, a model of rewards, and the candidates of each request once retrieved.

    `rows` are by request: which item, -1 for one outside the catalogue, in which place from 0, reward and propensity.
    """

    asked: Asked
    rows: pl.DataFrame
    rates: Rates

    def write(self, folder: Path, history: Histories, candidates: pl.DataFrame) -> None:
        """Write them to a folder, with the histories of the requests and the candidates with their features."""
        rates = {"all": np.array([self.rates.mean]), "item": self.rates.items, "place": self.rates.places}
        frames = {
            _REQUESTS: self.asked.rows.with_row_index(REQUEST).cast({REQUEST: pl.Int64}),
            _HISTORY: met_of(history),
            _CANDIDATES: candidates,
            _ROWS: self.rows,
            _RATES: pl.concat([pl.DataFrame({"of": [name] * len(one), "rate": one}) for name, one in rates.items()]),
        }
        for name, frame in frames.items():
            with atomic.replacing(folder / name) as part:
                frame.write_parquet(part)


@dataclass(frozen=True)
class Answered:
    """What `Logged.write` wrote: `asked` as the pipeline takes it, `data` with a row a candidate."""

    asked: Retrieved
    data: pl.DataFrame
    rows: pl.DataFrame
    rates: Rates

    @classmethod
    def read(cls, folder: Path) -> "Answered":
        """Read it; raises RunError E6325 where it is not there or damaged."""
        requests, rates = read_dataset(folder / _REQUESTS), read_dataset(folder / _RATES)
        history = histories_from(read_dataset(folder / _HISTORY), requests)
        nothing = Relevant(np.zeros(requests.height + 1, np.int64), np.empty(0, np.int32))
        of = {str(name): rows["rate"].to_numpy() for (name,), rows in rates.group_by("of")}
        none = np.empty(0)
        return cls(
            Retrieved(requests, history, nothing, {}, {}),
            read_dataset(folder / _CANDIDATES),
            read_dataset(folder / _ROWS),
            Rates(float(of["all"][0]), of.get("item", none), of.get("place", none)),
        )

    def policy(self, shown: Candidates, chances: Chances, *, reward: str, clip: float | None = None) -> LoggedPolicy:
        """Return the log as it is for a pipeline that shows `shown`, with these chances.

        Raises RunError E6385 for a position behind the longest list.
        """
        number, place = self.rows[NUMBER].to_numpy(), self.rows[_PLACE].to_numpy()
        longest, deepest = int(shown.lengths.max(initial=0)), int(place.max()) + 1
        if deepest > longest:
            what = f"the log has an impression at position {deepest}, and the pipeline shows {longest} items"
            raise RunError.of("E6385", what, expected=f"positions from 1 to {longest}")
        items = self.rows[ITEM].to_numpy()
        log = Log(
            self.rows[_REWARD].to_numpy(),
            self.rows[_PROPENSITY].to_numpy(),
            np.minimum(chances.at(number, place, items), 1.0),
            self.rows[USER].to_numpy(),
        )
        expected = chances.expected(number, place, self.rates.of(chances.items, chances.places))
        return LoggedPolicy(log, reward, expected, self.rates.of(items, place), clip)
