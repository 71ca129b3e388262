"""An index on disk: files, and `index.json`, which says what they are of and the SHA-256 of each.

A folder is written once, in one rename, like a bundle. Nothing in it is code: arrays are read without pickle, ScaNN's
files are protocol buffers, FAISS's is its own format, and none is opened before its SHA-256 was found right.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.digest import file_sha256
from mlsd_framework.runtime.index.checking import checked_ids, checked_vectors
from mlsd_framework.runtime.index.door import Kind, Vectors
from mlsd_framework.runtime.index.engines import load_engine
from mlsd_framework.runtime.index.state import NEVER, Fresh, State, new_base
from mlsd_framework.runtime.index.vector_index import About, VectorIndex

MANIFEST = "index.json"
HEADER = 128
ARRAYS = ("dataset.npy", "ids.npy", "alive.npy", "fresh.npy", "fresh_ids.npy")


class Manifest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What `index.json` says: `engine` and `settings` are of the structure in the files, `vectors` how many count."""

    format: int = 1
    about: About
    engine: Kind
    settings: dict[str, int]
    dim: int
    vectors: int
    files: dict[str, str]


def save_index(index: VectorIndex, folder: Path) -> None:
    """Write an index to a folder that is not there yet, or is empty (E6808)."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError.of("E6808", f"`{folder}` is there already", help="give the new index a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".index-"))
    state, about = index.state, index.about
    try:
        _write_files(state, part)
        written = sorted(part.iterdir())
        for path in written:
            atomic.sync(path)
        files = {path.name: file_sha256(path) for path in written}
        manifest = Manifest(
            about=about,
            engine=state.base.engine.kind,
            settings=dict(state.base.engine.settings()),
            dim=index.dim,
            vectors=state.alive,
            files=files,
        )
        atomic.write_bytes(part / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest, order="sorted")) + b"\n")
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def load_index(folder: Path, *, fingerprint: str, threads: int = 1) -> VectorIndex:
    """Read the index in `folder`, whose vectors stay in their file, mapped.

    `fingerprint` is that of the model that embeds queries: vectors of another model are refused (E6807). So is a folder
    without an index (E6804), with a changed file (E6805), and files that do not fit together (E6801, E6803, E6806).
    """
    manifest = _checked_manifest(folder)
    if manifest.about.fingerprint != fingerprint:
        raise RunError.of(
            "E6807",
            f"the vectors in `{folder}` are those of model `{manifest.about.fingerprint}`",
            expected=f"model `{fingerprint}`, which embeds the queries",
            help="build the index with the model that serves, and deploy both as one version",
        )
    found = {name: _array(folder / name) for name in ARRAYS}
    base, ids, alive = found["dataset.npy"], found["ids.npy"], found["alive.npy"]
    fresh, fresh_ids = found["fresh.npy"], found["fresh_ids.npy"]
    _fit(folder, manifest, found)
    vectors = _stored(base, manifest)
    named = checked_ids(ids, len(vectors), once=True)
    new = _stored(fresh, manifest)
    new_ids = checked_ids(fresh_ids, len(new), once=True)
    living = np.concatenate([named[alive], new_ids])
    checked_ids(living, manifest.vectors, once=True)
    engine = load_engine(manifest.engine, folder, vectors, manifest.settings, threads)
    rows = new_base(engine, vectors, named, np.where(alive, NEVER, 0))
    added = Fresh(np.array(new), np.array(new_ids), np.full(len(new), NEVER))
    state = State(0, rows, added, len(new), int((~alive).sum()), len(living))
    return VectorIndex(state, manifest.about, threads)


def _write_files(state: State, folder: Path) -> None:
    base, part = state.base, slice(0, state.used)
    base.engine.save(folder)
    if not (folder / "dataset.npy").exists():  # ScaNN writes it itself
        np.save(folder / "dataset.npy", base.vectors, allow_pickle=False)
    counted = state.fresh.died[part] > state.version
    np.save(folder / "ids.npy", base.ids, allow_pickle=False)
    np.save(folder / "alive.npy", base.died > state.version, allow_pickle=False)
    np.save(folder / "fresh.npy", state.fresh.vectors[part][counted], allow_pickle=False)
    np.save(folder / "fresh_ids.npy", state.fresh.ids[part][counted], allow_pickle=False)


def _checked_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise RunError.of("E6804", f"there is no index in `{folder}`", expected=f"a folder with `{MANIFEST}`")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as fault:
        raise RunError.of("E6806", f"`{path}` cannot be read: {fault}") from fault
    if manifest.format != 1:
        raise RunError.of("E6806", f"`{path}` has format {manifest.format}", expected="format 1")
    missing = sorted(set(ARRAYS) - set(manifest.files))
    if missing:
        raise RunError.of("E6806", f"`{path}` does not list `{missing[0]}`", expected=", ".join(ARRAYS))
    for name, digest in sorted(manifest.files.items()):
        file = folder / name
        if Path(name).name != name or file.is_symlink():
            raise RunError.of("E6806", f"`{name}` leaves the index's folder", expected="a file in it")
        if not file.is_file():
            raise RunError.of("E6804", f"`{file}` is missing", expected=f"a file with SHA-256 {digest}")
        found = file_sha256(file)
        if found != digest:
            raise RunError.of("E6805", f"`{file}` has changed since it was written", expected=f"SHA-256 {digest}")
    return manifest


def _fit(folder: Path, manifest: Manifest, found: dict[str, NDArray[Any]]) -> None:
    base, fresh, alive = found["dataset.npy"], found["fresh.npy"], found["alive.npy"]
    wanted = {
        "dataset.npy": (np.float32, (len(found["ids.npy"]), manifest.dim), base),
        "ids.npy": (np.int64, (len(base),), found["ids.npy"]),
        "alive.npy": (np.bool_, (len(base),), alive),
        "fresh.npy": (np.float32, (len(fresh), manifest.dim), fresh),
        "fresh_ids.npy": (np.int64, (len(fresh),), found["fresh_ids.npy"]),
    }
    for name, (kind, shape, array) in wanted.items():
        if array.dtype != kind or array.shape != shape:
            raise RunError.of(
                "E6806",
                f"`{folder / name}` holds {array.dtype} {list(array.shape)}",
                expected=f"{np.dtype(kind)} {list(shape)}",
            )


def _stored(vectors: NDArray[Any], manifest: Manifest) -> Vectors:
    """Return vectors of a file, which are of length 1 already where that is wanted, and are not copied."""
    return checked_vectors(vectors, manifest.dim, "dot")


def _array(path: Path) -> NDArray[Any]:
    try:  # an array without rows is its header alone, which cannot be mapped
        mapped: Literal["r"] | None = "r" if path.stat().st_size > HEADER else None
        array: NDArray[Any] = np.load(path, mmap_mode=mapped, allow_pickle=False)
    except (ValueError, OSError, EOFError) as fault:
        raise RunError.of("E6806", f"`{path}` is no array: {fault}") from fault
    return array
