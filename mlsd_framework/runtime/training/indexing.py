"""The index over a model's items, found by measurement on the queries that the model itself makes."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlsd_framework.runtime.index.door import Kind
from mlsd_framework.runtime.index.tuning import tuned_index
from mlsd_framework.runtime.index.vector_index import VectorIndex
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.two_tower import TwoTower


def chosen(embeds: TwoTower, asked: Histories, *, recall: float, k: int, engines: Sequence[Kind]) -> VectorIndex:
    """Return the fastest index over the items of a model that finds `recall` of the `k` nearest for some histories.

    Speed is measured one query at a time, as a service asks. Raises RunError E6809 where no engine reaches the recall.
    """
    known = np.flatnonzero(np.diff(asked.offsets))
    return tuned_index(
        np.arange(len(embeds.vectors)),
        embeds.vectors,
        embeds.users(asked)[known],
        fingerprint=embeds.version,
        kinds=engines,
        recall=recall,
        k=k,
        batch=1,
    )


def put(index: VectorIndex, folder: Path) -> None:
    """Write an index to a folder, in the place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    index.save(folder)
