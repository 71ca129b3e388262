"""What newcomers would be answered: some requests of the test asked again, twice, as if their users were new.

Once they say nothing, once what they like. What is found, and the candidates with their features, are kept beside what
was found for those who have a history.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training import retrieved
from mlsd_framework.runtime.training.artefacts import read_dataset
from mlsd_framework.runtime.training.candidate_examples import Asked, Sampling, examples_of
from mlsd_framework.runtime.training.newcomers import Asking, Likes, New

NEWCOMERS: Final = "newcomers"
ONBOARDED: Final = "onboarded"
_ROWS: Final = "candidates.parquet"


@dataclass(frozen=True, slots=True)
class Onboarding:
    """At most `sample` requests of the test are asked again, drawn with a seed; the onboarded say what they like."""

    likes: Likes
    sample: int
    seed: int = 7

    def drawn(self, requests: int) -> NDArray[np.intp]:
        """Return which requests are asked again, in their order."""
        if requests <= self.sample:
            return np.arange(requests)
        return np.sort(np.random.default_rng(self.seed).choice(requests, self.sample, replace=False))


@dataclass(frozen=True)
class Rows:
    """How candidates become rows of examples: the key of the items, the label, and the features put beside them."""

    catalogue: Catalogue
    item: str
    label: str
    features: Callable[[pl.DataFrame], pl.DataFrame]


def write(folder: Path, onboarding: Onboarding, one: Asked, history: Histories, asking: Asking, rows: Rows) -> None:
    """Ask some requests of the test again, and keep what came of it beside what they had, by the two names."""
    drawn, likes = onboarding.drawn(history.requests), onboarding.likes
    for name, values in {
        NEWCOMERS: [likes.default] * len(drawn),
        ONBOARDED: likes.of(history.taken(drawn), asking.items),
    }.items():
        new = asking.again(one, history, drawn, {likes.value: values})
        _keep(
            folder / name,
            new,
            asking,
            rows,
            pl.Series(likes.value, [list(each) for each in values], dtype=likes.dtype(asking.items)),
        )


def read(folder: Path) -> dict[str, tuple[retrieved.Retrieved, pl.DataFrame]]:
    """Return what `write` wrote by name: what was retrieved, and the candidates with their features.

    Raises RunError E6325 where it is not there or damaged.
    """
    return {
        name: (retrieved.Retrieved.read(folder / name), read_dataset(folder / name / _ROWS))
        for name in (NEWCOMERS, ONBOARDED)
    }


def _keep(folder: Path, new: New, asking: Asking, rows: Rows, said: pl.Series) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    alone = asking.retrieval.alone(asking.sources, new.history, new.given)
    told = replace(new.asked, rows=new.asked.rows.with_columns(said))
    retrieved.write(folder, told, new.history, found=new.found, alone=alone, first=0)
    examples = examples_of(
        new.asked, new.merged, rows.catalogue, item=rows.item, label=rows.label, first=0, sampling=Sampling()
    )
    with atomic.replacing(folder / _ROWS) as part:
        rows.features(examples).write_parquet(part)
