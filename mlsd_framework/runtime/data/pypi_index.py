"""The package indexes that pip is configured with: which files a version of a distribution has, and their hashes."""

import ast
import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.download import Transport, shown

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What of pip's configuration matters here: indexes in order of trust, folders of files, the certificate bundle."""

    indexes: tuple[str, ...] = ("https://pypi.org/simple",)
    links: tuple[str, ...] = ()
    cafile: str | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """One file of a version: `secret` are headers that its server wants, `local` its path if it is on this machine."""

    filename: str
    url: str
    sha256: str | None
    size: int | None
    secret: tuple[tuple[str, str], ...] = ()
    local: Path | None = None


def pip_settings(environment: Mapping[str, str] = os.environ) -> PipSettings:
    """Read pip's configuration: its files through `pip config list`, then the `PIP_…` variables over them."""
    found = _configured()
    for key in ("index-url", "extra-index-url", "find-links", "no-index", "cert"):
        value = environment.get("PIP_" + key.upper().replace("-", "_"))
        if value is not None:
            found[key] = value
    alone = found.get("no-index", "").lower() in ("1", "true", "yes", "on")
    indexes = (
        () if alone else (found.get("index-url") or PipSettings().indexes[0], *found.get("extra-index-url", "").split())
    )
    return PipSettings(tuple(indexes), tuple(found.get("find-links", "").split()), found.get("cert") or None)


def distributions(name: str, version: str, settings: PipSettings, transport: Transport) -> tuple[Distribution, ...]:
    """List the files of `name==version`, from the first place that has any: folders, then indexes in order.

    Raises RunError E6107 when none has it, naming the versions there are.
    """
    other: list[str] = []
    for place in (*settings.links, *settings.indexes):
        linked = place in settings.links
        files = _from_folder(place, name) if linked else _from_index(place, name, transport)
        fitting = tuple(file for file in files if _same(version_of(file.filename, name), version))
        if fitting:
            return fitting
        other += [found for file in files if (found := version_of(file.filename, name)) is not None]
    if other:
        raise RunError.of(
            "E6107",
            f"`{name}` has no version `{version}`",
            expected="one of: " + ", ".join(list(dict.fromkeys(other))[-12:]),
        )
    raise RunError.of(
        "E6107",
        f"no package index has `{name}`",
        expected="a distribution of: "
        + (", ".join(shown(index) for index in settings.indexes) or "the folders of pip's `find-links`"),
        help="look at the name, and at `pip config list`",
    )


def version_of(filename: str, name: str) -> str | None:
    """Return the version in the file name of a wheel or an sdist of `name`, or None."""
    stem = re.sub(r"(\.tar\.(gz|bz2|xz)|\.tgz|\.zip|\.whl)$", "", filename)
    if stem == filename:
        return None
    if filename.endswith(".whl"):
        parts = stem.split("-")
        return parts[1] if len(parts) in (5, 6) and normalised(parts[0]) == normalised(name) else None
    for cut in (at for at, sign in enumerate(stem) if sign == "-"):
        if normalised(stem[:cut]) == normalised(name):
            return stem[cut + 1 :]
    return None


def normalised(name: str) -> str:
    """Return a distribution's name in its one spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _same(found: str | None, wanted: str) -> bool:
    return found is not None and re.sub(r"[-_]", ".", found).lower() == re.sub(r"[-_]", ".", wanted).lower()


def _configured() -> dict[str, str]:
    """Return pip's settings from its files; nothing when there is no pip."""
    command = [sys.executable, "-m", "pip", "config", "list", "--no-color", "--disable-pip-version-check"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, str] = {}
    # A section of a command wins over `global`, as it does for pip itself.
    for section in ("global", "download"):
        for line in run.stdout.splitlines() if run.returncode == 0 else ():
            key, _, value = line.partition("=")
            if key.startswith(section + "."):
                found[key.removeprefix(section + ".")] = str(ast.literal_eval(value))
    return found


def _from_folder(place: str, name: str) -> list[Distribution]:
    path = Path(url2pathname(urlsplit(place).path)) if place.startswith("file:") else Path(place).expanduser()
    if not path.is_dir():
        return []
    files = [file for file in sorted(path.iterdir()) if version_of(file.name, name) is not None and file.is_file()]
    return [Distribution(file.name, file.as_uri(), None, file.stat().st_size, local=file) for file in files]


def _from_index(index: str, name: str, transport: Transport) -> list[Distribution]:
    page = f"{index.rstrip('/')}/{normalised(name)}/"
    if page.startswith("file:"):
        return list(_from_file_index(page))
    url, secret = _without_user(page)
    try:
        with transport.open(url, {"Accept": _ACCEPT}, dict(secret)) as response:
            body, kind, base = response.read(_MOST_BYTES), response.headers.get_content_type(), response.url
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return []
        raise RunError.of("E6102", f"the package index `{shown(url)}` answers {error.code} {error.reason}") from error
    except OSError as error:
        raise RunError.of(
            "E6102", f"the package index `{shown(url)}` cannot be reached: {getattr(error, 'reason', error)}"
        ) from error
    try:
        found = list(_from_json(body, base) if kind.endswith("json") else _from_html(body, base))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError.of("E6102", f"the package index `{shown(url)}` answers what is no index page") from error
    host = urlsplit(url).netloc
    return [
        Distribution(file.filename, file.url, file.sha256, file.size, secret if urlsplit(file.url).netloc == host else
        ()) for file in found
    ]  # fmt: skip


def _from_json(body: bytes, base: str) -> Iterator[Distribution]:
    for file in json.loads(body)["files"]:
        size = file.get("size")
        yield Distribution(
            file["filename"],
            urljoin(base, file["url"]),
            file["hashes"].get("sha256"),
            size if isinstance(size, int) else None,
        )


def _from_html(body: bytes, base: str) -> Iterator[Distribution]:
    links = _Links()
    links.feed(body.decode(errors="replace"))
    for link in links.found:
        url, fragment = urldefrag(urljoin(base, link))
        filename = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        yield Distribution(
            filename, url, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None, None
        )


def _from_file_index(page: str) -> Iterator[Distribution]:
    """List an index that lies on this machine (`file:`): its page, or the files of its folder."""
    folder = Path(url2pathname(urlsplit(page).path))
    listing = folder / "index.html"
    if not listing.is_file():
        yield from _from_folder(str(folder), folder.name)
        return
    for file in _from_html(listing.read_bytes(), page):
        local = Path(url2pathname(urlsplit(file.url).path)) if file.url.startswith("file:") else None
        yield Distribution(file.filename, file.url, file.sha256, None, local=local)


def _without_user(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split the user and password off an address, into the header that carries them."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ()
    token = base64.b64encode(unquote(user if ":" in user else user + ":").encode()).decode()
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), (("Authorization", f"Basic {token}"),)


class _Links(HTMLParser):
    """Collect the addresses of all links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]
