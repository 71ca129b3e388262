"""`deb:NAME/path`: one path out of a Debian package, fetched by apt and neither installed nor run."""

import bz2
import contextlib
import gzip
import io
import lzma
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.archive import Extraction, Selection, Taken, checked_path, damaged, take_from_tar
from mlsd_framework.runtime.data.cache import Cache, Record, no_space
from mlsd_framework.runtime.data.download import Progress, wrong_hash
from mlsd_framework.runtime.digest import file_sha256

_URI = re.compile(r"deb:(?P<name>[a-z0-9][a-z0-9+.-]+)(?:==?(?P<version>[0-9][A-Za-z0-9.+:~-]*))?/(?P<path>.+)")
_PRINTED = re.compile(r"'(?P<url>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")
_MAGIC, _HEADER = b"!<arch>\n", 60


@dataclass(frozen=True, slots=True)
class _Package:
    """What apt says it would download."""

    file: str
    size: int
    sha256: str


def fetch_deb(uri: str, cache: Cache, *, progress: Progress | None = None) -> Record:
    """Take the path of `uri` out of the package that the machine's apt sources offer, checked by their SHA-256.

    `deb:NAME/path` takes the offered version, `deb:NAME==VERSION/path` that one. Raises RunError E6101-E6108.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise RunError.of(
            "E6101", f"`{uri}` does not name a file of a Debian package", expected="`deb:NAME/path/inside`"
        )
    name, path = parts["name"], checked_path(parts["path"])
    package = _offered(f"{name}={parts['version']}" if parts["version"] else name)
    with cache.lock(f"deb {package.sha256}"):
        archive = cache.blob(package.sha256) or _download(name, parts["version"], package, cache, progress)
    taken = take_from_deb(archive, path, cache)
    if not taken.files:
        raise RunError.of(
            "E6108",
            f"`{path}` is not in the package `{package.file}`",
            expected="a file, a folder or a glob of the package",
        )
    return Record(tuple(sorted(taken.files, key=lambda one: one.name)), package.file, _licence(taken))


def take_from_deb(archive: Path, path: str, cache: Cache) -> Taken:
    """Take the selected path and the copyright text out of a `.deb` file."""
    what = Extraction(
        Selection(path),
        lambda name: bool(re.fullmatch(r"usr/share/doc/[^/]+/copyright", name)),
        lambda name: name.removeprefix("./") or None,
    )
    with archive.open("rb") as stream, _data_tar(stream, archive) as unpacked:
        return take_from_tar(unpacked, archive, what, cache)


def _apt(arguments: list[str]) -> list[str]:
    tool = shutil.which("apt-get")
    if tool is None:
        raise RunError.of(
            "E6109",
            "this machine has no `apt-get`, which `deb:` addresses need",
            help="fetch the data on Debian or Ubuntu, or name another source",
        )
    return [tool, "-q", *arguments]


def _offered(spec: str) -> _Package:
    run = subprocess.run(  # noqa: S603 - the name and version are checked, no shell
        _apt(["download", "--print-uris", spec]), capture_output=True, text=True, timeout=120, check=False
    )
    found = _PRINTED.search(run.stdout)
    if run.returncode != 0 or found is None:
        why = next(
            (line for line in run.stderr.splitlines() if line.startswith("E:")), "it names no file with a SHA-256"
        )
        raise RunError.of(
            "E6107",
            f"apt does not offer `{spec}`: {why.removeprefix('E: ')}",
            help="`apt-get update` refreshes what apt knows",
        )
    return _Package(found["file"], int(found["size"]), found["sha256"])


def _download(name: str, version: str | None, package: _Package, cache: Cache, progress: Progress | None) -> Path:
    """Let apt download the package into a folder of its own, and check what came."""
    (cache.root / "partial").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.root / "partial") as folder:
        command = _apt(["download", f"{name}={version}" if version else name])
        with (
            tempfile.TemporaryFile() as log,
            subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT) as running,  # noqa: S603 - as above
        ):
            try:
                while running.poll() is None:
                    time.sleep(0.1)
                    if progress is not None:
                        progress(min(_bytes_in(Path(folder)), package.size), package.size)
            except BaseException:
                running.kill()
                raise
            log.seek(0)
            said = log.read().decode(errors="replace")
        came = sorted(Path(folder).glob("*.deb"))
        if running.returncode != 0 or not came:
            why = next((line for line in said.splitlines() if line.startswith("E:")), f"status {running.returncode}")
            raise RunError.of("E6102", f"apt cannot download `{name}`: {why.removeprefix('E: ')}")
        found = file_sha256(came[0])
        if found != package.sha256:
            raise wrong_hash(package.file, package.sha256, found)
        if progress is not None:
            progress(package.size, package.size)
        with no_space(cache.root):
            return cache.adopt(came[0], found)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # apt renames files meanwhile
            total += path.stat().st_size
    return total


@contextlib.contextmanager
def _data_tar(stream: IO[bytes], archive: Path) -> Iterator[IO[bytes]]:
    """Yield the unpacked `data.tar` of a `.deb`, which is an `ar` file of three members."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise damaged(archive, ValueError("it is no Debian package"))
    while len(header := stream.read(_HEADER)) == _HEADER:
        name, size = header[:16].decode(errors="replace").strip().rstrip("/"), header[48:58].strip()
        if not size.isdigit():
            break
        if name.startswith("data.tar"):
            with _unpacked(name, cast("IO[bytes]", io.BufferedReader(_Window(stream, int(size))))) as unpacked:
                yield unpacked
            return
        stream.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    raise damaged(archive, ValueError("it has no `data.tar`"))


@contextlib.contextmanager
def _unpacked(name: str, packed: IO[bytes]) -> Iterator[IO[bytes]]:
    match name.removeprefix("data.tar"):
        case "":
            yield packed
        case ".gz":
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=packed))
        case ".xz" | ".lzma":
            yield cast("IO[bytes]", lzma.LZMAFile(packed))  # noqa: SIM115 - `packed` is closed by its owner
        case ".bz2":
            yield cast("IO[bytes]", bz2.BZ2File(packed))
        case ".zst":
            import pyarrow as pa  # noqa: PLC0415 - for packages of this compression only

            with pa.input_stream(packed, compression="zstd") as stream:
                yield cast("IO[bytes]", stream)
        case other:
            raise RunError.of(
                "E6104", f"the package is packed in an unknown way: `data.tar{other}`", expected="gz, xz, bz2 or zst"
            )


class _Window(io.RawIOBase):
    """The next `size` bytes of a stream, as a stream."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        super().__init__()
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffers are wider than a memoryview
        chunk = self._stream.read(min(len(buffer), self._left))
        self._left -= len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _licence(taken: Taken) -> str | None:
    """Read the licences from the copyright file: its `License:` fields, in order."""
    for text in taken.texts.values():
        named = re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)
        if named:
            return "; ".join(dict.fromkeys(one.strip() for one in named))
        if text.strip():
            return "see the package's copyright file"
    return None
