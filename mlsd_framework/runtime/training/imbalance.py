"""Rare classes: weights and resampling of the training part, and of no other: each function takes the `Parts`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training.splits import IntArray, Parts

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Examples:
    """A training part ready to fit: features, labels, and which of them are synthetic (they come last)."""

    features: NDArray[np.floating]
    label: NDArray[np.int8]
    synthetic: int = 0


def class_weights(
    parts: Parts, label: ArrayLike, kind: Literal["balanced", "sqrt_balanced"] | Mapping[int, float]
) -> dict[int, float]:
    """Return the weight of each class, 0 and 1, from the counts of the training part.

    `balanced` gives both classes the same total weight (rows / (2 x rows of the class)), `sqrt_balanced` its square
    root; a mapping is taken as it is.
    """
    if isinstance(kind, Mapping):
        return {number: float(kind[number]) for number in (0, 1)}
    counts = np.bincount(np.asarray(label, np.int64)[parts.train], minlength=2)
    _need_both(counts)
    balanced = len(parts.train) / (2 * counts)
    weights = np.sqrt(balanced) if kind == "sqrt_balanced" else balanced
    return {0: float(weights[0]), 1: float(weights[1])}


def under_sample(parts: Parts, label: ArrayLike, *, ratio: float = 1.0, seed: int = 0) -> Parts:
    """Drop training rows of the larger class at random until smaller / larger is `ratio`."""
    small, large = _by_size(parts, label)
    keep = min(len(large), round(len(small) / ratio))
    kept = np.random.default_rng(seed).choice(large, keep, replace=False)
    return Parts(np.sort(np.concatenate([small, kept])), parts.validate, parts.test)


def over_sample(parts: Parts, label: ArrayLike, *, ratio: float = 1.0, seed: int = 0) -> Parts:
    """Repeat training rows of the smaller class at random until smaller / larger is `ratio`; none is dropped."""
    small, large = _by_size(parts, label)
    more = max(0, round(len(large) * ratio) - len(small))
    repeated = np.random.default_rng(seed).choice(small, more, replace=True)
    return Parts(np.sort(np.concatenate([small, large, repeated])), parts.validate, parts.test)


def smote(
    parts: Parts,
    features: NDArray[np.floating],
    label: ArrayLike,
    *,
    names: tuple[str, ...],
    categories: tuple[str, ...] = (),
    ratio: float = 1.0,
    neighbours: int = 5,
    seed: int = 0,
) -> Examples:
    """Add synthetic rows of the smaller class between its near neighbours until smaller / larger is `ratio`.

    `features` is (rows, len(names)), numeric. Raises E6311 where a feature of the training part has nulls, E6312
    where the class has no more rows than `neighbours`, and E6313 where the model has `categories`.
    """
    if categories:
        raise RunError.of(
            "E6313",
            f"SMOTE cannot draw between categories: {', '.join(f'`{name}`' for name in categories)}",
            expected="a model of numeric features",
            help="use `sampling: over`, or class weights",
        )
    from imblearn.over_sampling import SMOTE  # noqa: PLC0415 - heavy

    train = features[parts.train]
    labels = np.asarray(label, np.int8)[parts.train]
    _no_nulls(train, names)
    small = len(_by_size(parts, label)[0])
    if small <= neighbours:
        raise RunError.of(
            "E6312",
            f"SMOTE finds {small} rows of the rare class and needs more than its `neighbours`, {neighbours}",
            help="lower `neighbours`, or use class weights",
        )
    grown, grown_labels = SMOTE(sampling_strategy=ratio, k_neighbors=neighbours, random_state=seed).fit_resample(
        train, labels
    )
    return Examples(grown.astype(features.dtype), grown_labels.astype(np.int8), synthetic=len(grown) - len(train))


def _no_nulls(features: NDArray[np.floating], names: tuple[str, ...]) -> None:
    nulls = np.isnan(features).sum(axis=0)
    if nulls.any():
        worst, count = int(nulls.argmax()), int((nulls > 0).sum())
        raise RunError.of(
            "E6311",
            f"SMOTE meets nulls in {count} features, most in `{names[worst]}` ({int(nulls[worst]):,} rows)",
            expected="numeric features without nulls in the training part",
            help="fill them with `coalesce(…)` in the feature, or use class weights, which take nulls as they are",
        )


def _by_size(parts: Parts, label: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return the training rows of the smaller class and of the larger."""
    positive = np.asarray(label)[parts.train] != 0
    _need_both(np.array([(~positive).sum(), positive.sum()]))
    one, other = parts.train[positive], parts.train[~positive]
    return (one, other) if len(one) <= len(other) else (other, one)


def _need_both(counts: NDArray[np.int64]) -> None:
    if not counts.all():
        raise RunError.of(
            "E6310",
            f"the training part has {int(counts[0]):,} negatives and {int(counts[1]):,} positives",
            expected="rows of both classes",
        )
