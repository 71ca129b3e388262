"""What has changed of the items since a version was made: steps in a folder, each a file that is written once.

    <first>-<last>-<sha256>.safetensors    the steps from `first` to `last`, as one

A step is written beside its place and renamed, and named by its own SHA-256: a reader finds whole steps only, and
knows a damaged one. Many steps are joined into one file that says where they led; the files of those go afterwards. A
reader that was at any step goes on from there, one that begins takes them all.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.digest import file_sha256
from mlsd_framework.runtime.retrieval.items import Key
from mlsd_framework.runtime.tensor_file import (
    TensorFileError,
    read_tensors,
    row_of,
    text_arrays,
    texts_of,
    write_tensors,
)

if TYPE_CHECKING:
    import polars as pl

_FORMAT: Final = "mlsd item changes 1"
_NAME: Final = re.compile(r"(\d{8})-(\d{8})-([0-9a-f]{16})\.safetensors")
_VECTORS: Final = "vectors."
_ARRAYS: Final = (
    "keys", "keys.bytes", "keys.offsets", "descriptions.bytes", "descriptions.offsets", "there",
)  # fmt: skip
_MEND: Final = "stop the system, remove the folder, and deploy again: it is made from the table"
JOINED: Final = 64
"""So many files of steps are joined into one."""


@dataclass(frozen=True)
class ItemChanges:
    """Items that are new, changed or gone, each once: what they are now.

    `there` says whether an item is there, [rows]; the words, vectors and columns of one that is gone mean nothing.
    `vectors` are by model, [rows, D], and `towers` names for each the towers that embedded. `at` is when the table was
    changed, in microseconds UTC. `columns` are what conditions of a retrieval read, where there are some.
    """

    keys: tuple[Key, ...]
    descriptions: tuple[str, ...]
    there: NDArray[np.bool_]
    vectors: Mapping[str, NDArray[np.float32]]
    towers: Mapping[str, str]
    at: int = 0
    columns: "pl.DataFrame | None" = None

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.keys)

    def then(self, later: "ItemChanges") -> "ItemChanges":
        """Return what both lead to, one after the other; an item stands where it first came."""
        place = {key: row for row, key in enumerate(self.keys)}
        new = [row for row, key in enumerate(later.keys) if key not in place]
        keys = (*self.keys, *(later.keys[row] for row in new))
        place |= {key: row for row, key in enumerate(keys[len(self.keys) :], len(self.keys))}
        rows = np.array([place[key] for key in later.keys], np.int64)
        words = [*self.descriptions, *([""] * len(new))]
        for row, text in zip(rows.tolist(), later.descriptions, strict=True):
            words[row] = text
        there = np.concatenate([self.there, np.zeros(len(new), np.bool_)])
        there[rows] = later.there
        vectors = {}
        for model, own in self.vectors.items():
            vectors[model] = np.concatenate([own, np.zeros((len(new), own.shape[1]), np.float32)])
            vectors[model][rows] = later.vectors[model]
        return ItemChanges(
            keys, tuple(words), there, vectors, self.towers, later.at, self._columns(later, rows, len(keys))
        )

    def _columns(self, later: "ItemChanges", rows: NDArray[np.int64], length: int) -> "pl.DataFrame | None":
        if self.columns is None or later.columns is None:
            return None
        taken = np.arange(length)
        taken[rows] = len(self.keys) + np.arange(len(rows))
        return self.columns.vstack(later.columns)[taken]


@dataclass(frozen=True, slots=True)
class StepFile:
    """A file of a folder, by its name: the steps that it has, and the first digits of its SHA-256."""

    path: Path
    first: int
    last: int
    digest: str


@dataclass
class ChangeFolder:
    """The changes of one version's items of one entity."""

    path: Path
    version: str
    _digests: dict[str, str] = field(default_factory=dict, repr=False)

    def files(self) -> list[StepFile]:
        """Return what is there, in the order of steps; of files that begin alike the one that goes furthest first."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for path in self.path.iterdir():
                named = _NAME.fullmatch(path.name)
                if named is not None:
                    found.append(StepFile(path, int(named[1]), int(named[2]), named[3]))
        return sorted(found, key=lambda one: (one.first, -one.last))

    def after(self, step: int) -> Iterator[tuple[int, ItemChanges]]:
        """Yield the changes behind a step, each with the step to which it leads.

        Raises RunError: E6812 where a file is damaged or a step is missing, E6807 where it is of another version.
        """
        for one in self.files():
            if one.last <= step:
                continue
            if one.first > step + 1:
                raise RunError.of("E6812", f"`{self.path}` has no step {step + 1}", help=_MEND)
            try:
                changes = self._read(one)
            except FileNotFoundError:
                return  # joined meanwhile: the next look finds what has its steps
            step = one.last
            yield step, changes

    def clear(self) -> None:
        """Remove what a writer left that was killed; for the one who writes."""
        for path in self.path.glob(".part-*"):
            shutil.rmtree(path, ignore_errors=True)

    def write(self, changes: ItemChanges, first: int, last: int) -> None:
        """Write the steps from `first` to `last` as one file."""
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.path, prefix=".part-") as scratch:
            part = Path(scratch) / "part"
            write_tensors(part, self._header(changes), dict(_arrays(changes)))
            part.rename(self.path / f"{first:08}-{last:08}-{file_sha256(part)[:16]}.safetensors")
        atomic.sync(self.path)

    def join(self) -> bool:
        """Join all files into one where there are many; return whether that was so."""
        files = self.files()
        if len(files) < JOINED:
            return False
        steps = list(self.after(0))
        joined = steps[0][1]
        for _, changes in steps[1:]:
            joined = joined.then(changes)
        self.write(joined, 1, steps[-1][0])
        for one in files:
            if one.last <= steps[-1][0] and (one.first, one.last) != (1, steps[-1][0]):
                one.path.unlink(missing_ok=True)
        return True

    def _header(self, changes: ItemChanges) -> dict[str, object]:
        head = {"format": _FORMAT, "version": self.version, "towers": dict(changes.towers), "at": changes.at}
        if changes.columns is None:
            return head
        from mlsd_framework.runtime.retrieval.item_columns import types_of  # noqa: PLC0415 - polars is heavy

        return {**head, "columns": list(types_of(changes.columns).items())}

    def _read(self, one: StepFile) -> ItemChanges:
        try:
            _check(one)
            header, arrays = read_tensors(one.path, _ARRAYS, _FORMAT)
            towers: dict[str, str] = header["towers"]
            _, vectors = read_tensors(one.path, [f"{_VECTORS}{model}" for model in towers], _FORMAT)
            changes = _changes(arrays, vectors, towers, int(header["at"]))
            if "columns" in header:
                changes = replace(changes, columns=_columns(one.path, dict(header["columns"]), len(changes)))
        except (TensorFileError, OSError, KeyError, TypeError, ValueError) as fault:
            if not one.path.exists():
                raise FileNotFoundError(one.path) from fault
            raise RunError.of("E6812", f"`{one.path}` cannot be read: {fault}", help=_MEND) from fault
        if header["version"] != self.version:
            what = f"`{one.path}` has changes of the items of version `{header['version']}`"
            raise RunError.of("E6807", what, expected=f"version `{self.version}`, which serves")
        return changes


def _check(one: StepFile) -> None:
    if file_sha256(one.path)[:16] != one.digest:
        raise TensorFileError("its SHA-256 is not that of its name")


def _arrays(changes: ItemChanges) -> Iterable[tuple[str, NDArray[Any]]]:
    if changes.keys and isinstance(changes.keys[0], str):
        yield from text_arrays("keys", [str(one) for one in changes.keys]).items()
    else:
        yield "keys", np.array(changes.keys, np.int64)
    yield from text_arrays("descriptions", changes.descriptions).items()
    yield "there", changes.there.astype(np.uint8)
    if changes.columns is not None:
        from mlsd_framework.runtime.retrieval.item_columns import arrays_of  # noqa: PLC0415 - polars is heavy

        yield from arrays_of(changes.columns).items()
    for model, own in changes.vectors.items():
        yield f"{_VECTORS}{model}", own.astype(np.float32, copy=False)


def _columns(path: Path, types: Mapping[str, str], length: int) -> "pl.DataFrame":
    from mlsd_framework.runtime.retrieval.item_columns import array_names, columns_from  # noqa: PLC0415 - as above

    _, arrays = read_tensors(path, array_names(types), _FORMAT)
    found = columns_from(arrays, types)
    if found.height != length:
        raise TensorFileError("its arrays do not belong together")
    return found


def _changes(
    arrays: Mapping[str, NDArray[Any]], vectors: Mapping[str, NDArray[Any]], towers: Mapping[str, str], at: int
) -> ItemChanges:
    keys: Sequence[Key] = row_of(arrays, "keys", np.int64).tolist() if "keys" in arrays else texts_of(arrays, "keys")
    there = row_of(arrays, "there", np.uint8).astype(np.bool_)
    words = texts_of(arrays, "descriptions")
    embedded = {name.removeprefix(_VECTORS): own for name, own in vectors.items()}
    rows = {len(keys), len(there), len(words), *(len(own) for own in embedded.values())}
    sound = len(rows) == 1 and len(embedded) == len(towers) and len(set(keys)) == len(keys)
    if not sound or any(own.ndim != 2 or not np.isfinite(own).all() for own in embedded.values()):  # noqa: PLR2004 - a matrix
        raise TensorFileError("its arrays do not belong together")
    return ItemChanges(tuple(keys), words, there, embedded, dict(towers), at)
