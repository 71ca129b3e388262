"""The user's cache of fetched data: contents by SHA-256, what each address gave, locks between processes.

blobs/ab/abcd…       contents, read-only, named by their SHA-256
records/<…>.json     what an address gave last: names, hashes, licence
partial/<…>.part     downloads under way, resumed by the next run
locks/<…>.lock       one writer at a time; a kill releases it
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.digest import file_sha256

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the cache: its name where it came from, its SHA-256 and its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """What an address gave: its files, where they came from, their licence, the server's tag of this version."""

    files: tuple[Stored, ...]
    origin: str
    licence: str | None
    etag: str | None = None

    @property
    def sha256(self) -> str:
        """Hash of the one file, or of the lines `<sha256>  <name>` of several, sorted by name."""
        if len(self.files) == 1:
            return self.files[0].sha256
        listing = "".join(f"{file.sha256}  {file.name}\n" for file in sorted(self.files, key=lambda file: file.name))
        return hashlib.sha256(listing.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache folder; safe for several processes at once."""

    root: Path

    @classmethod
    def of_user(cls) -> "Cache":
        """Return the cache in `$XDG_CACHE_HOME/mlsd` or `~/.cache/mlsd`."""
        home = os.environ.get("XDG_CACHE_HOME")
        return cls((Path(home) if home else Path.home() / ".cache") / "mlsd")

    def blob(self, sha256: str) -> Path | None:
        """Return the file with this content, or None; a file whose content no longer has its hash is removed."""
        path = self._blob_path(sha256)
        if not path.is_file():
            return None
        if file_sha256(path) != sha256:
            path.unlink(missing_ok=True)
            return None
        return path

    def adopt(self, part: Path, sha256: str) -> Path:
        """Move a finished temporary file of the cache to its place by content."""
        path = self._blob_path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with no_space(path), part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o444)
        part.replace(path)
        return path

    def store(self, name: str, chunks: Iterator[bytes]) -> Stored:
        """Write chunks as a new content and return what was stored."""
        folder = self._folder("partial")
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
        part = Path(temporary)
        digest, size = hashlib.sha256(), 0
        try:
            with no_space(part), os.fdopen(handle, "wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            self.adopt(part, digest.hexdigest())
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return Stored(name, digest.hexdigest(), size)

    def partial(self, url: str) -> Path:
        """Return the path of the unfinished download of `url`."""
        return self._folder("partial") / f"{_key(url)}.part"

    def record(self, uri: str) -> Record | None:
        """Return what `uri` gave last, if all of its contents are still here and whole."""
        try:
            found = json.loads((self.root / "records" / f"{_key(uri)}.json").read_text())
            record = Record(tuple(Stored(**file) for file in found.pop("files")), **found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            # No record, or one that is damaged: as good as none.
            return None
        return record if record.files and all(self.blob(file.sha256) for file in record.files) else None

    def note(self, uri: str, record: Record) -> None:
        """Remember what `uri` gave."""
        atomic.write_text(self._folder("records") / f"{_key(uri)}.json", json.dumps(asdict(record), indent=1))

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock `name` against other processes and threads; wait for it."""
        with (self._folder("locks") / f"{_key(name)}.lock").open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def place(self, file: Stored, target: Path) -> None:
        """Put a cached content at `target` by a hard link, or a copy across file systems; a whole one stays."""
        blob = self._blob_path(file.sha256)
        if target.is_file() and not target.is_symlink():
            same = target.stat().st_size == file.size and (target.samefile(blob) or file_sha256(target) == file.sha256)
            if same:
                return
        with atomic.replacing(target) as part:
            part.unlink()
            try:
                os.link(blob, part)
            except OSError:
                with no_space(target):
                    shutil.copyfile(blob, part)

    def _blob_path(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256[:2] / sha256

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextlib.contextmanager
def no_space(path: Path) -> Iterator[None]:
    """Turn a full disk into E6106."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunError.of(
            "E6106", f"no space is left in `{path.parent}`", help="free some space; a download goes on where it stopped"
        ) from error


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
