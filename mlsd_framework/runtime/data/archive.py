"""Taking files out of a wheel, an sdist or a Debian package without unpacking it.

Nothing is run, and nothing leaves its folder.
"""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.cache import Cache, Stored

_CHUNK = 1 << 20
_TEXT_BYTES = 1 << 20
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may grow to: bytes of a file, bytes in all, and beyond `free` bytes their ratio to the packed."""

    file: int = 8 << 30
    total: int = 32 << 30
    ratio: int = 200
    free: int = 64 << 20


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Selection:
    """A path inside an archive: a file, a folder (all below it), or a glob (`*` within a folder, `**` across)."""

    path: str

    def relative(self, name: str) -> str | None:
        """Return the name under which member `name` is taken, or None when it is not selected."""
        if name == self.path:
            return PurePosixPath(name).name
        if any(sign in self.path for sign in "*?"):
            fixed = re.split(r"[*?]", self.path, maxsplit=1)[0].rpartition("/")[0]
            return name[len(fixed) :].lstrip("/") if re.fullmatch(self._pattern(), name) else None
        folder = self.path.rstrip("/") + "/"
        return name[len(folder) :] if name.startswith(folder) and name != folder else None

    def _pattern(self) -> str:
        signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        return "".join(signs.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", self.path))


@dataclass(slots=True)
class Taken:
    """What came out of an archive: the selected files, stored in the cache, and the small texts asked for beside."""

    files: list[Stored] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What to take: the selection, which small texts (licences), and a member's name as it is read (None: skip it)."""

    selection: Selection
    is_text: Callable[[str], bool]
    rename: Callable[[str], str | None]
    limits: Limits = LIMITS


def checked_path(path: str) -> str:
    """Return a path inside an archive, or raise E6101 when it is absolute, empty or leads upwards."""
    if not path or not _safe(path.rstrip("/")):
        raise RunError.of("E6101", f"`{path}` is not a path inside a package", expected="a relative path without `..`")
    return path


def take_from_zip(archive: Path, what: Extraction, cache: Cache) -> Taken:
    """Take the selected members of a zip file (a wheel). Raises E6104 damaged, E6105 unsafe."""
    taken = Taken()
    try:
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                name = what.rename(info.filename)
                if name is None or info.is_dir():
                    continue
                if (target := what.selection.relative(name)) is not None:
                    kind = stat.S_IFMT(info.external_attr >> 16)
                    _refuse_unsafe(
                        archive,
                        name,
                        target,
                        taken,
                        regular=kind in (0, stat.S_IFREG),
                        encrypted=bool(info.flag_bits & 1),
                    )
                    with opened.open(info) as stream:
                        chunks = _bounded(stream, archive, name, info.compress_size, what.limits)
                        taken.files.append(cache.store(target, chunks))
                elif what.is_text(name):
                    with opened.open(info) as stream:
                        taken.texts[name] = stream.read(_TEXT_BYTES).decode(errors="replace")
    except (*_DAMAGED, RuntimeError) as error:
        raise damaged(archive, error) from error
    return taken


def take_from_tar(stream: IO[bytes], archive: Path, what: Extraction, cache: Cache) -> Taken:
    """Take the selected members of a tar stream that is already unpacked. Raises E6104 damaged, E6105 unsafe."""
    taken = Taken()
    counted = _Counted(stream, archive, archive.stat().st_size, what.limits)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r|") as opened:
            for info in opened:
                name = what.rename(info.name)
                if name is None or info.isdir():
                    continue
                if (target := what.selection.relative(name)) is not None:
                    _refuse_unsafe(archive, name, target, taken, regular=info.isreg())
                    content = opened.extractfile(info)
                    if content is not None:
                        chunks = _bounded(content, archive, name, archive.stat().st_size, what.limits)
                        taken.files.append(cache.store(target, chunks))
                elif what.is_text(name) and info.isreg() and (content := opened.extractfile(info)) is not None:
                    taken.texts[name] = content.read(_TEXT_BYTES).decode(errors="replace")
    except _DAMAGED as error:
        raise damaged(archive, error) from error
    return taken


def damaged(archive: Path, error: BaseException) -> RunError:
    """Return the error for an archive that cannot be read."""
    return RunError.of(
        "E6104", f"the package `{archive.name}` is damaged: {str(error) or type(error).__name__}", help="fetch again"
    )


class _Counted:
    """A stream that stops when more comes out of it than an honest archive holds."""

    def __init__(self, stream: IO[bytes], archive: Path, packed: int, limits: Limits) -> None:
        self._stream, self._archive, self._packed, self._limits = stream, archive, packed, limits
        self._done = 0

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(min(size, _CHUNK))
        self._done += len(chunk)
        _refuse_bomb(self._archive, "it", self._done, self._packed, self._limits.total, self._limits)
        return chunk


def _bounded(stream: IO[bytes], archive: Path, name: str, packed: int, limits: Limits) -> Iterator[bytes]:
    done = 0
    while chunk := stream.read(_CHUNK):
        done += len(chunk)
        _refuse_bomb(archive, f"`{name}`", done, packed, limits.file, limits)
        yield chunk


def _refuse_bomb(archive: Path, what: str, done: int, packed: int, most: int, limits: Limits) -> None:
    if done > most or (done > limits.free and done > packed * limits.ratio):
        raise RunError.of(
            "E6105",
            f"the package `{archive.name}` is refused: {what} unpacks to more than {done:,} bytes",
            expected=f"at most {most:,} bytes, and {limits.ratio} times what is packed",
        )


def _refuse_unsafe(
    archive: Path, name: str, target: str, taken: Taken, *, regular: bool, encrypted: bool = False
) -> None:
    why = None
    if not _safe(name) or not _safe(target):
        why = "leads out of its folder"
    elif not regular:
        why = "is a link or a device"
    elif encrypted:
        why = "is encrypted"
    elif any(file.name == target for file in taken.files):
        why = "is there twice"
    if why is not None:
        raise RunError.of(
            "E6105", f"the package `{archive.name}` is refused: `{name}` {why}", expected="an ordinary file"
        )


def _safe(name: str) -> bool:
    path = PurePosixPath(name)
    controls = any(ord(sign) < 32 for sign in name)  # noqa: PLR2004 - below the blank
    return (
        bool(name)
        and not path.is_absolute()
        and ".." not in path.parts
        and "\\" not in name
        and ":" not in path.parts[0]
        and not controls
    )
