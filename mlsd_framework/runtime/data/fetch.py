"""Fetching a data set from where it is published: `https:`, `pypi:`, `deb:` or a local path.

Pinned by SHA-256, cached by content, resumed where it stopped.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.cache import Cache, Record, Stored
from mlsd_framework.runtime.data.download import HTTPS, Progress, Transport, wrong_hash
from mlsd_framework.runtime.data.fetch_deb import fetch_deb
from mlsd_framework.runtime.data.fetch_http import fetch_http
from mlsd_framework.runtime.data.fetch_local import fetch_local
from mlsd_framework.runtime.data.fetch_pypi import fetch_pypi

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Fetched data: the file (or the folder of several), SHA-256, licence as published, where it came from, bytes.

    The SHA-256 of several files is that of their listing, lines `<sha256>  <name>` sorted by name. `cached` says that
    nothing was downloaded.
    """

    path: Path
    sha256: str
    licence: str | None
    origin: str
    size: int
    files: tuple[Stored, ...]
    cached: bool


def fetch(
    uri: str,
    *,
    into: Path,
    sha256: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    base: Path | None = None,
    transport: Transport = HTTPS,
) -> Fetched:
    """Put the files of `uri` into the folder `into` and say what they are.

    `sha256` pins the file that is taken out, not the package around it, whose hash is checked against its index. Local
    paths
    are relative to `base` and stay where they are. Of a package nothing is run, imported or unpickled. Two processes
    that fetch the same wait for each other. `progress` gets bytes done and bytes in all (None: unknown). Raises
    RunError:
    E6101 address, E6102 connection, E6103 hash, E6104 damaged package, E6105 unsafe package, E6106 no space, E6107 no
    such package, E6108 no such path in it, E6109 no apt, E6110 no such local file.
    """
    scheme = _SCHEME.match(uri)
    pin = _pin(sha256)
    if scheme is None:
        path, record = fetch_local(uri, base or Path.cwd())
        _check_pin(uri, record, pin)
        return _fetched(path, record, cached=True)
    store = Cache(cache) if cache is not None else Cache.of_user()
    with store.lock(f"fetch {uri}"):
        known = store.record(uri)
        # An https address without a pin may give something else today; a version of a package does not.
        usable = known is not None and (known.sha256 == pin if pin else scheme[1] not in ("https", "http"))
        record = known if known is not None and usable else _fetch(uri, store, pin, known, transport, progress)
        _check_pin(uri, record, pin)
        store.note(uri, record)
        for file in record.files:
            _place(store, file, into)
    path = into / record.files[0].name if len(record.files) == 1 else into
    return _fetched(path, record, cached=record is known)


def _fetch(
    uri: str, cache: Cache, pin: str | None, known: Record | None, transport: Transport, progress: Progress | None
) -> Record:
    scheme = uri.partition(":")[0]
    match scheme:
        case "pypi":
            return fetch_pypi(uri, cache, transport=transport, progress=progress)
        case "deb":
            return fetch_deb(uri, cache, progress=progress)
        case "https" | "http":
            return fetch_http(uri, cache, sha256=pin, known=known, transport=transport, progress=progress)
        case _:
            raise RunError.of(
                "E6101", f"`{scheme}:` is no way to fetch data", expected="`https:`, `pypi:`, `deb:` or a local path"
            )


def _pin(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    pin = sha256.lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", pin):
        raise RunError.of("E6103", f"`{sha256}` is not a SHA-256", expected="64 hexadecimal digits")
    return pin


def _check_pin(uri: str, record: Record, pin: str | None) -> None:
    if pin is not None and record.sha256 != pin:
        raise wrong_hash(uri if not uri.startswith("http") else record.origin, pin, record.sha256)


def _place(cache: Cache, file: Stored, into: Path) -> None:
    target = into / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(into.resolve()):
        raise RunError.of("E6105", f"`{target}` leads out of `{into}`", help="a symbolic link is in the way: remove it")
    cache.place(file, target)


def _fetched(path: Path, record: Record, *, cached: bool) -> Fetched:
    size = sum(file.size for file in record.files)
    return Fetched(path, record.sha256, record.licence, record.origin, size, record.files, cached)
