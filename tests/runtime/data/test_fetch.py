"""Fetching from packages: what is taken, and what is refused; hostile archives are built here."""

import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.archive import Extraction, Limits, Selection, take_from_tar, take_from_zip
from mlsd_framework.runtime.data.cache import Cache
from mlsd_framework.runtime.data.fetch import fetch
from mlsd_framework.runtime.data.fetch_deb import take_from_deb
from mlsd_framework.runtime.data.fetch_pypi import fetch_pypi
from mlsd_framework.runtime.data.pypi_index import PipSettings, pip_settings, version_of

METADATA = "Metadata-Version: 2.1\nLicense: MIT\nClassifier: License :: OSI Approved :: MIT License\n"


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def deb(path: Path, data: bytes, name: str = "data.tar.xz") -> Path:
    """Write an `ar` file as a Debian package is one."""
    out = b"!<arch>\n"
    for member, content in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (name, data)):
        out += (
            f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
            + content
            + b"\n" * (len(content) % 2)
        )
    path.write_bytes(out)
    return path


def everything(selection: str, limits: Limits | None = None) -> Extraction:
    """Select a path, take no texts."""
    return Extraction(Selection(selection), lambda _: False, lambda name: name, limits or Limits())


def links(folder: Path) -> PipSettings:
    """Return the settings of a pip that looks into `folder` only."""
    return PipSettings((), (str(folder),))


def test_a_wheel_gives_one_path_and_its_licence(tmp_path: Path) -> None:
    """The file, nothing else, with its name and hash."""
    folder = tmp_path / "links"
    folder.mkdir()
    wheel(
        folder / "some_data-1.0-py3-none-any.whl",
        {
            "some_data/raw/a.csv": b"x\n1\n",
            "some_data/a.pkl": b"cos\n",
            "some_data-1.0.dist-info/METADATA": METADATA.encode(),
        },
    )
    cache = Cache(tmp_path / "c")
    record = fetch_pypi("pypi:Some.Data==1.0/some_data/raw/a.csv", cache, settings=links(folder))
    assert (record.sha256, record.licence) == (hashlib.sha256(b"x\n1\n").hexdigest(), "MIT; MIT License")
    assert [file.name for file in record.files] == ["a.csv"]


def test_an_sdist_is_looked_into_below_its_folder_when_the_wheel_lacks_the_path(tmp_path: Path) -> None:
    """No `setup.py` is run for it."""
    folder = tmp_path / "links"
    folder.mkdir()
    trap = tmp_path / "ran"
    wheel(folder / "some_data-1.0-py3-none-any.whl", {"some_data/__init__.py": b""})
    packed = tar(
        [
            (tarfile.TarInfo("some_data-1.0/PKG-INFO"), b"License-Expression: ODbL-1.0\n"),
            (tarfile.TarInfo("some_data-1.0/setup.py"), f"open({str(trap)!r}, 'w')".encode()),
            (tarfile.TarInfo("some_data-1.0/tests/b.csv"), b"2"),
            (tarfile.TarInfo("some_data-1.0/tests/deep/c.csv"), b"3"),
        ]
    )
    (folder / "some_data-1.0.tar.gz").write_bytes(gzip.compress(packed))
    cache = Cache(tmp_path / "c")
    record = fetch_pypi("pypi:some-data==1.0/tests/b.csv", cache, settings=links(folder))
    assert (record.licence, record.files[0].size) == ("ODbL-1.0", 1)
    whole = fetch_pypi("pypi:some-data==1.0/tests", cache, settings=links(folder))
    assert [file.name for file in whole.files] == ["b.csv", "deep/c.csv"]
    globbed = fetch_pypi("pypi:some-data==1.0/tests/**/*.csv", cache, settings=links(folder))
    assert globbed.files == whole.files
    assert not trap.exists()
    for uri, code in (("some-data==2.0/a", "E6107"), ("other==1.0/a", "E6107"), ("some-data==1.0/none.csv", "E6108")):
        with pytest.raises(RunError, match=code):
            fetch_pypi(f"pypi:{uri}", cache, settings=links(folder))


@pytest.mark.parametrize(
    "uri", ["pypi:a/b", "pypi:a==1/../b", "pypi:a==1//etc/passwd", "pypi:--x==1/b", "deb:A/b", "deb:-o=x/b"]
)
def test_odd_addresses_are_refused(tmp_path: Path, uri: str) -> None:
    """Nothing of an address becomes an option of a tool or a path elsewhere."""
    with pytest.raises(RunError, match="E6101"):
        fetch(uri, into=tmp_path, cache=tmp_path / "c")


def hostile_zip(tmp_path: Path, kind: str) -> Path:
    """Write a zip file with one hostile member below `d/`."""
    path = tmp_path / "a.whl"
    link = zipfile.ZipInfo("d/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        match kind:
            case "traversal":
                archive.writestr("d/../../x", b"1")
            case "backslash":
                archive.writestr("d/..\\..\\x", b"1")
            case "link":
                archive.writestr(link, "/etc/passwd")
            case "bomb":
                archive.writestr("d/zeros", bytes(8 << 20))
    return path


@pytest.mark.parametrize("kind", ["traversal", "backslash", "link", "bomb"])
def test_hostile_wheels_are_refused(tmp_path: Path, kind: str) -> None:
    """Members that leave their folder, links and bombs end in E6105, and nothing stays behind."""
    limits = Limits(free=1 << 20, ratio=100)
    with pytest.raises(RunError, match="E6105"):
        take_from_zip(hostile_zip(tmp_path, kind), everything("d/", limits), Cache(tmp_path / "c"))
    assert not [path for path in (tmp_path / "c").rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["traversal", "absolute", "symlink", "hardlink", "device", "bomb", "twice"])
def test_hostile_tars_are_refused(tmp_path: Path, kind: str) -> None:
    """So do those of tar files, whose headers can say more."""
    info = tarfile.TarInfo({"traversal": "d/../../x", "absolute": "/d/x"}.get(kind, "d/x"))
    info.linkname = "/etc/passwd" if kind in ("symlink", "hardlink") else ""
    info.type = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}.get(
        kind, tarfile.REGTYPE
    )
    content = bytes(8 << 20) if kind == "bomb" else b""
    members = [(info, content)] * (2 if kind == "twice" else 1)
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(tar(members)))
    what = everything("/d/" if kind == "absolute" else "d/", Limits(free=1 << 20, ratio=100))
    with gzip.open(archive) as stream, pytest.raises(RunError, match="E6105"):
        take_from_tar(stream, archive, what, Cache(tmp_path / "c"))  # type: ignore[arg-type]
    assert not list((tmp_path / "c").rglob("*.part"))


def test_a_tar_bomb_before_the_file_is_refused_too(tmp_path: Path) -> None:
    """What is only skipped counts as well."""
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(tar([(tarfile.TarInfo("z"), bytes(8 << 20)), (tarfile.TarInfo("d/x"), b"1")])))
    with gzip.open(archive) as stream, pytest.raises(RunError, match="E6105"):
        take_from_tar(stream, archive, everything("d/x", Limits(free=1 << 20, ratio=100)), Cache(tmp_path / "c"))  # type: ignore[arg-type]


def test_cut_packages_are_damaged(tmp_path: Path) -> None:
    """A wheel, an sdist and a Debian package that end early are told as such."""
    folder = tmp_path / "links"
    folder.mkdir()
    cache = Cache(tmp_path / "c")
    noise = os.urandom(100_000)
    path = wheel(folder / "some_data-1.0-py3-none-any.whl", {"a.csv": noise})
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(RunError, match="E6104"):
        fetch_pypi("pypi:some-data==1.0/a.csv", cache, settings=links(folder))
    path.unlink()
    packed = gzip.compress(tar([(tarfile.TarInfo("d/a.csv"), noise)]))
    (folder / "some_data-1.0.tar.gz").write_bytes(packed[:50_000])
    with pytest.raises(RunError, match="E6104"):
        fetch_pypi("pypi:some-data==1.0/a.csv", cache, settings=links(folder))
    whole = deb(tmp_path / "a.deb", lzma.compress(tar([(tarfile.TarInfo("./a.csv"), noise)])))
    for content in (whole.read_bytes()[:50_000], b"", b"!<arch>\n", b"PK\x03\x04"):
        (tmp_path / "b.deb").write_bytes(content)
        with pytest.raises(RunError, match="E6104"):
            take_from_deb(tmp_path / "b.deb", "a.csv", cache)


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_a_debian_package_gives_one_path(tmp_path: Path, suffix: str) -> None:
    """In each way in which such packages are packed."""
    packed = tar(
        [
            (tarfile.TarInfo("./usr/share/d/a.csv"), b"x\n"),
            (tarfile.TarInfo("./usr/share/doc/d/copyright"), b"Files: *\nLicense: CC-BY-4.0\n text\n"),
        ]
    )
    if suffix == ".gz":
        packed = gzip.compress(packed)
    elif suffix == ".xz":
        packed = lzma.compress(packed)
    elif suffix == ".zst":
        pyarrow = pytest.importorskip("pyarrow")
        packed = pyarrow.compress(packed, codec="zstd", asbytes=True)
    taken = take_from_deb(
        deb(tmp_path / "d.deb", packed, f"data.tar{suffix}"), "usr/share/d/a.csv", Cache(tmp_path / "c")
    )
    assert [(file.name, file.size) for file in taken.files] == [("a.csv", 2)]
    assert "CC-BY-4.0" in next(iter(taken.texts.values()))


def test_an_index_of_files_is_read_and_its_hash_checked(tmp_path: Path) -> None:
    """A `file:` index of pip works like one on the network; a wrong hash is refused."""
    page = tmp_path / "simple" / "some-data"
    page.mkdir(parents=True)
    path = wheel(page / "some_data-1.0-py3-none-any.whl", {"a.csv": b"1"})
    settings = PipSettings(((tmp_path / "simple").as_uri(),))
    for digest, fine in ((hashlib.sha256(path.read_bytes()).hexdigest(), True), ("0" * 64, False)):
        (page / "index.html").write_text(f'<a href="{path.name}#sha256={digest}">{path.name}</a>')
        if fine:
            assert fetch_pypi("pypi:some_data==1.0/a.csv", Cache(tmp_path / "c"), settings=settings).files[0].size == 1
        else:
            with pytest.raises(RunError, match="E6103"):
                fetch_pypi("pypi:some_data==1.0/a.csv", Cache(tmp_path / "c"), settings=settings)


def test_pip_variables_win_over_its_files() -> None:
    """`PIP_INDEX_URL` and its like are what pip itself would use."""
    found = pip_settings(
        {"PIP_INDEX_URL": "https://a/simple", "PIP_EXTRA_INDEX_URL": "https://b https://c", "PIP_FIND_LINKS": ""}
    )
    assert found.indexes == ("https://a/simple", "https://b", "https://c")
    assert found.links == ()
    assert pip_settings({"PIP_NO_INDEX": "1"}).indexes == ()


def test_versions_are_read_from_file_names() -> None:
    """Names may hold dashes, versions too."""
    assert version_of("a_b-1.0-py3-none-any.whl", "a.b") == "1.0"
    assert version_of("a-b-1.0.tar.gz", "a_b") == "1.0"
    assert version_of("a-b-1.0.tar.gz", "a") == "b-1.0"
    assert version_of("a-1.0.exe", "a") is None


def test_local_files_stay_where_they_are(tmp_path: Path) -> None:
    """A path, a folder and a glob are hashed and not copied."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.csv").write_bytes(b"1")
    (tmp_path / "d" / "b.csv").write_bytes(b"2")
    one = fetch("d/a.csv", into=tmp_path / "in", base=tmp_path, sha256=hashlib.sha256(b"1").hexdigest())
    assert (one.path, one.size) == (tmp_path / "d" / "a.csv", 1)
    assert fetch("d/*.csv", into=tmp_path / "in", base=tmp_path).sha256 != one.sha256
    assert not (tmp_path / "in").exists()
    for uri, pin, code in (("d/none", None, "E6110"), ("d/a.csv", "0" * 64, "E6103"), ("d/a.csv", "12", "E6103")):
        with pytest.raises(RunError, match=code):
            fetch(uri, into=tmp_path / "in", base=tmp_path, sha256=pin)


@pytest.mark.data
def test_a_published_sdist_gives_its_file(tmp_path: Path) -> None:
    """Over the network, from the configured index, resumable and hashed; the second time from the cache."""
    uri = "pypi:rankeval==0.8.2/rankeval/test/data/msn1.fold1.train.5k.txt"
    pin = "6d1721de961a35fbaef7085dc5b41e2940f0ddb04bab5f7a8566cf7db4158fa6"
    assert fetch(uri, into=tmp_path / "in", sha256=pin, cache=tmp_path / "c").size == 5_777_049
    assert fetch(uri, into=tmp_path / "in", sha256=pin, cache=tmp_path / "c").cached
