"""Impressions: what users were shown, as requests of the past with the items that they could choose from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.training.candidate_examples import AT, Asked
from mlsd_framework.runtime.training.parts import Moment

USER = "__user"
ITEM = "__item"
WHEN = "__when"
PAGE = "__page"
NUMBER = "__number"
_OUTCOME = "__outcome"


@dataclass(frozen=True, slots=True)
class Pages:
    """Which columns of a log of impressions, a row an item shown, say who was shown what, and when.

    The rows of a `user` with one value of `request` are one request, made at the time of the first of them; without
    such a column, those of one time.
    """

    user: str
    item: str
    time: str
    request: str | None = None

    def within(self, impressions: pl.LazyFrame, first: int, last: int, **columns: pl.Expr) -> pl.DataFrame:
        """Return the rows of the requests made from `first` up to `last`, in microseconds (UTC), which is none of them.

        Requests are numbered in the order of time, of one time in that of their users: NUMBER, then WHEN, USER, ITEM
        and the `columns` beside them. Rows that lack the user, the time or the request are left out.
        """
        keys = [self.user, self.request or self.time]
        when = pl.col(self.time) if self.request is None else pl.col(self.time).min().over(keys)
        rows = (
            impressions.drop_nulls([*keys, self.time])
            .select(
                pl.col(self.user).alias(USER),
                pl.col(self.item).alias(ITEM),
                when.dt.timestamp("us").alias(WHEN),
                pl.col(keys[1]).alias(PAGE),
                **columns,
            )
            .filter(pl.col(WHEN).is_between(first, last, closed="left"))
            .collect()
        )
        pages = rows.select(WHEN, USER, PAGE).unique().sort(WHEN, USER, PAGE)
        numbered = pages.with_columns(pl.int_range(pages.height, dtype=pl.Int64).alias(NUMBER))
        return rows.join(numbered, on=[WHEN, USER, PAGE], how="left", maintain_order="left").sort(
            NUMBER, maintain_order=True
        )

    def requests(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return a row a request of what `within` returned, by number: the user's key and the moment."""
        first = rows.unique(NUMBER, keep="first").sort(NUMBER)
        at = pl.col(WHEN).cast(pl.Datetime("us", "UTC")).alias(AT)
        return first.select(pl.col(USER).alias(self.user), at)


@dataclass(frozen=True)
class Shown:
    """The requests of a part with what was chosen of each, and the items that each showed as its candidates.

    Candidates stand in the order of the catalogue: where an item was shown is nothing that is known before it is.
    """

    asked: Asked
    candidates: Candidates


@dataclass(frozen=True, slots=True)
class Impressions:
    """How requests and their outcomes are read from a log of impressions.

    `outcome` is the column that says whether an item was chosen: a boolean, or 0 and 1; where it is null nobody knows,
    and the row is no example. Without one an item was chosen where the user has an event with it `within` the time
    after the request.
    """

    pages: Pages
    outcome: str | None = None
    within: timedelta | None = None

    def of(self, impressions: pl.LazyFrame, log: Interactions, catalogue: Catalogue, part: Moment) -> Shown:
        """Return the requests of `[moment, moment + horizon)`; an item that one shows twice was chosen if it once was.

        Items outside the catalogue are left out. Raises RunError E6246 where there is no such request, E6247 for an
        outcome that is neither 0 nor 1.
        """
        outcome = pl.lit(value=True) if self.outcome is None else pl.col(self.outcome)
        rows = self.pages.within(impressions, part.at, part.at + part.horizon, **{_OUTCOME: outcome})
        rows = rows.drop_nulls([ITEM, _OUTCOME])
        codes = catalogue.codes(rows[ITEM])
        rows = rows.with_columns(pl.Series(ITEM, codes)).filter(pl.col(ITEM) >= 0)
        if rows.is_empty():
            raise _nothing(part)
        chosen = self._chosen(rows, log)
        found = (
            rows.with_columns(pl.Series(_OUTCOME, chosen), pl.col(NUMBER).rank("dense").cast(pl.Int64) - 1)
            .group_by(NUMBER, ITEM)
            .agg(pl.col(_OUTCOME).any(), pl.col(USER, WHEN).first())
            .sort(NUMBER, ITEM)
        )
        requests = self.pages.requests(found)
        shown, items = found[NUMBER].to_numpy(), found[ITEM].to_numpy()
        relevant = found[_OUTCOME].to_numpy()
        asked = Asked(requests, Relevant.of_pairs(shown[relevant], items[relevant], requests.height), part)
        return Shown(asked, Candidates(offsets_of(np.bincount(shown, minlength=requests.height)), items))

    def _chosen(self, rows: pl.DataFrame, log: Interactions) -> NDArray[np.bool_]:
        """Return whether the item of each row was chosen: [rows]."""
        if self.outcome is not None:
            said = rows[_OUTCOME].cast(pl.Float64).to_numpy()
            wrong = (said != 0) & (said != 1)
            if wrong.any():
                what = f"the outcome `{self.outcome}` of an impression is {said[wrong][0]:g}"
                raise RunError.of("E6247", what, expected="0, 1 or a boolean")
            found: NDArray[np.bool_] = said == 1
            return found
        events = pl.DataFrame({USER: log.users, ITEM: log.items, "__event": log.times}).sort("__event")
        asked = rows.select(user_codes(rows[USER], log), ITEM, WHEN).with_row_index("__row").sort(WHEN)
        beside = asked.join_asof(
            events, left_on=WHEN, right_on="__event", by=[USER, ITEM], strategy="forward", check_sortedness=False
        )
        waited = (pl.col("__event") - pl.col(WHEN)) < round((self.within or timedelta(0)) / timedelta(microseconds=1))
        chosen: NDArray[np.bool_] = beside.sort("__row").select(waited.fill_null(value=False)).to_series().to_numpy()
        return chosen


def user_codes(keys: pl.Series, log: Interactions) -> pl.Series:
    """Return the code that each user has in a log, -1 for one that it does not have: [rows]."""
    if not log.user_keys:
        return pl.Series(USER, np.full(len(keys), -1, np.int32))
    own = pl.Series(log.user_keys)
    codes = np.arange(len(own), dtype=np.int32)
    wanted = keys.cast(own.dtype, strict=False)
    return wanted.replace_strict(own, codes, default=-1, return_dtype=pl.Int32).alias(USER)


def _nothing(part: Moment) -> RunError:
    first, last = (
        datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
        for at in (part.at, part.at + part.horizon)
    )
    purpose = {"train": "training", "validate": "validation", "test": "the test"}[part.name]
    return RunError.of(
        "E6246",
        f"no impression is from {first} to {last} (UTC), which a moment of {purpose} is asked for",
        help="take fewer `moments`, or impressions of that time",
    )
