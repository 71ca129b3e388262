"""`https:` addresses: one file over HTTPS."""

import re
from urllib.parse import unquote, urlsplit

from mlsd_framework.runtime.data.cache import Cache, Record, Stored
from mlsd_framework.runtime.data.download import HTTPS, Progress, Transport, download, shown


def fetch_http(
    url: str,
    cache: Cache,
    *,
    sha256: str | None,
    known: Record | None = None,
    transport: Transport = HTTPS,
    progress: Progress | None = None,
) -> Record:
    """Download `url` into the cache; `known`, what it gave before, is kept when the server says that it still holds."""
    etag = known.etag if known is not None and sha256 is None else None
    found = download(url, cache, sha256=sha256, known_etag=etag, transport=transport, progress=progress)
    if found.content is None and known is not None:
        return known
    content = found.content
    if content is None:  # pragma: no cover - unchanged is answered only to a known tag
        return fetch_http(url, cache, sha256=sha256, transport=transport, progress=progress)
    return Record((Stored(file_name(url), content.sha256, content.size),), shown(url), None, found.etag)


def file_name(url: str) -> str:
    """Return the file name that an address gives, without anything that a folder or a shell would read."""
    last = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    return re.sub(r"[^A-Za-z0-9._+=-]", "_", last).lstrip(".") or "download"
