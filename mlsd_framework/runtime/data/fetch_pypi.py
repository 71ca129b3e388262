"""`pypi:NAME==VERSION/path`: one path out of a published wheel or sdist, which is neither installed nor run."""

import bz2
import dataclasses
import gzip
import lzma
import re
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path
from typing import IO, cast

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.archive import Extraction, Selection, Taken, checked_path, take_from_tar, take_from_zip
from mlsd_framework.runtime.data.cache import Cache, Record
from mlsd_framework.runtime.data.download import HTTPS, Progress, Transport, download, wrong_hash
from mlsd_framework.runtime.data.pypi_index import Distribution, PipSettings, distributions, pip_settings
from mlsd_framework.runtime.digest import file_sha256

_URI = re.compile(r"pypi:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)/(?P<path>.+)")
_TARS: dict[str, Callable[[Path, str], object]] = {
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.bz2": bz2.open,
    ".tar.xz": lzma.open,
}
_MOST_FILES = 3


def fetch_pypi(
    uri: str,
    cache: Cache,
    *,
    transport: Transport = HTTPS,
    progress: Progress | None = None,
    settings: PipSettings | None = None,
) -> Record:
    """Take the path of `uri` out of the distribution, from pip's configured indexes, checked by their SHA-256.

    Wheels for any machine come first, then the sdist, then other wheels. Raises RunError E6101-E6108.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise RunError.of(
            "E6101", f"`{uri}` does not name a file of a distribution", expected="`pypi:NAME==VERSION/path/inside`"
        )
    name, version, path = parts["name"], parts["version"], checked_path(parts["path"])
    settings = settings or pip_settings()
    reach = dataclasses.replace(transport, cafile=transport.cafile or settings.cafile)
    index_reach = dataclasses.replace(reach, loopback_http=reach.loopback_http or _on_this_machine(settings))
    files = sorted(distributions(name, version, settings, index_reach), key=_preference)
    looked: list[str] = []
    for file in files[:_MOST_FILES]:
        taken = _take(file, path, cache, index_reach, progress)
        if taken.files:
            return Record(
                tuple(sorted(taken.files, key=lambda one: one.name)),
                f"{name} {version}: {file.filename}",
                _licence(taken),
            )
        looked.append(file.filename)
    raise RunError.of(
        "E6108",
        f"`{path}` is not in `{name}=={version}`",
        expected="a file, a folder or a glob of: " + ", ".join(looked),
    )


def _preference(file: Distribution) -> tuple[int, int]:
    rank = 0 if file.filename.endswith("-any.whl") else 2 if file.filename.endswith(".whl") else 1
    return rank, file.size or 0


def _on_this_machine(settings: PipSettings) -> bool:
    """Tell whether pip itself is told to use a plain HTTP index on this machine."""
    return any(re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])[:/]", index) for index in settings.indexes)


def _take(file: Distribution, path: str, cache: Cache, transport: Transport, progress: Progress | None) -> Taken:
    archive = _archive(file, cache, transport, progress)
    wheel = file.filename.endswith(".whl")

    def inside(member: str) -> str | None:
        name = member.removeprefix("./")
        # An sdist holds one folder, NAME-VERSION: paths are given below it.
        return name if wheel else (name.partition("/")[2] or None)

    def is_licence(member: str) -> bool:
        return bool(re.fullmatch(r"[^/]+\.dist-info/METADATA" if wheel else r"PKG-INFO", member))

    what = Extraction(Selection(path), is_licence, inside)
    if file.filename.endswith((".whl", ".zip")):
        return take_from_zip(archive, what, cache)
    unpack = next((unpack for end, unpack in _TARS.items() if file.filename.endswith(end)), None)
    if unpack is None:
        return Taken()
    with cast("IO[bytes]", unpack(archive, "rb")) as stream:
        return take_from_tar(stream, archive, what, cache)


def _archive(file: Distribution, cache: Cache, transport: Transport, progress: Progress | None) -> Path:
    """Return the distribution's file: where it lies on this machine, or in the cache after downloading it."""
    if file.local is not None:
        if file.sha256 is not None and (found := file_sha256(file.local)) != file.sha256:
            raise wrong_hash(file.filename, file.sha256, found)
        return file.local
    if file.sha256 is None:
        raise RunError.of(
            "E6103",
            f"the package index gives no SHA-256 for `{file.filename}`",
            expected="an index with `sha256` hashes",
        )
    got = download(
        file.url, cache, sha256=file.sha256, transport=transport, progress=progress, secret=dict(file.secret)
    )
    path = cache.blob(got.content.sha256) if got.content is not None else None
    if path is None:
        raise RunError.of("E6104", f"`{file.filename}` is gone from the cache `{cache.root}`", help="fetch again")
    return path


def _licence(taken: Taken) -> str | None:
    """Read the licence from the metadata: the SPDX expression, the classifiers, or the free text's first line."""
    for text in taken.texts.values():
        fields = HeaderParser().parsestr(text)
        expression = fields.get("License-Expression")
        if expression:
            return str(expression).strip()
        classified = [
            entry.rsplit("::", 1)[-1].strip()
            for entry in fields.get_all("Classifier", [])
            if entry.startswith("License ::")
        ]
        free = str(fields.get("License") or "").strip().split("\n", 1)[0][:80]
        stated = [
            *([free] if free and free.upper() != "UNKNOWN" else []),
            *(one for one in classified if one != "OSI Approved"),
        ]
        if stated:
            return "; ".join(dict.fromkeys(stated))
    return None
