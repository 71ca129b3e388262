"""The training set's home: windows and tables as of each question's moment, all at once."""

import polars as pl

from mlsd_framework.runtime.features.asof import column_features
from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.snapshots import derived_features
from mlsd_framework.runtime.verify.sampling import MOMENT, Sample
from mlsd_framework.runtime.verify.values import plain

Answers = list[tuple[Value, ...] | None]
"""What a home says to each question; none where it is not asked."""


def offline(sample: Sample) -> Answers:
    """Answer as `dataset.py` does for its examples."""
    group = sample.stored.group
    asked = sample.questions.with_columns(pl.col(MOMENT).cast(pl.Datetime("us", "UTC")))
    if isinstance(group, DerivedGroup):
        frames = {sample.log.name: sample.events, **sample.others}
        return [*plain(derived_features(frames, asked, group, time=MOMENT))]
    if isinstance(group, ColumnGroup):
        return [*plain(column_features(sample.events, asked, group, time=MOMENT))]
    return [*plain(window_features(sample.events, asked, group, time=MOMENT))]
