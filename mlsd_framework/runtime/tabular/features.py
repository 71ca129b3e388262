"""What a network reads of a row: its features, as declared, and the columns that each takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Pooling: TypeAlias = Literal["mean", "attention"]


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vocabulary with one learned vector a value; every feature that names it shares it.

    Values that the learned rows hold fewer than `minimum` times count as unseen.
    """

    name: str
    dimension: int = 32
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class Category:
    """One value of a vocabulary, text or integer: an id, a category; null and unseen have vectors of their own."""

    name: str
    embedding: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number, standardised by the learned rows, beside a flag; null, NaN and infinities are 0 with the flag 1."""

    name: str


@dataclass(frozen=True, slots=True)
class LastItems:
    """A list of values of a vocabulary, oldest first, of which the last `length` count; an empty or null list is zeros.

    `mean` weighs them alike, `attention` by a learned query and by how recent they are.
    """

    name: str
    embedding: str
    length: int = 20
    pooling: Pooling = "mean"


@dataclass(frozen=True, slots=True)
class Given:
    """A vector that comes ready, such as a text's embedding, taken as it is beside a flag; null is zeros, flag 1."""

    name: str
    width: int


Feature: TypeAlias = Category | Number | LastItems | Given


def places(features: tuple[Feature, ...]) -> Iterator[tuple[Feature, slice]]:
    """Yield each feature with its columns: of the codes for categories and lists, of the values for the others."""
    codes = values = 0
    for feature in features:
        width = width_of(feature)
        if isinstance(feature, Category | LastItems):
            yield feature, slice(codes, codes + width)
            codes += width
        else:
            yield feature, slice(values, values + width)
            values += width


def width_of(feature: Feature) -> int:
    """Return how many columns a feature takes; a number and a given vector have one more for their null flag."""
    match feature:
        case Category():
            return 1
        case LastItems():
            return feature.length
        case Number():
            return 2
        case Given():
            return feature.width + 1
