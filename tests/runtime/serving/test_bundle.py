"""Bundles: written once, checked at every start."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.bundle import Bundle, check_fits, load_bundle, locate_bundle, write_bundle


def write(versions: Path, content: bytes = b"trees", **changes: str) -> Bundle:
    """Write a small bundle."""
    parts = {"system": "s", "spec": "a", "features": "b"} | changes
    return write_bundle(versions, files={"models/m/trees": content, "thresholds.json": b"{}"}, **parts)  # type: ignore[arg-type]


def code(error: pytest.ExceptionInfo[RunError]) -> str:
    """Return the code of the first fault."""
    return error.value.diagnostics[0].code


def test_same_set_has_the_same_version(tmp_path: Path) -> None:
    """The version follows from the content; writing it again changes nothing."""
    first, again, other = write(tmp_path), write(tmp_path), write(tmp_path, b"other")
    assert first.version == again.version != other.version
    assert load_bundle(first.folder).manifest == first.manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([first.version, other.version])


def test_another_set_of_the_same_version_is_refused(tmp_path: Path) -> None:
    """A version is never overwritten."""
    write(tmp_path, version="v1")
    with pytest.raises(RunError) as error:
        write(tmp_path, b"other", version="v1")
    assert code(error) == "E6407"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 39))
def test_a_flipped_bit_is_found(tmp_path: Path, bit: int) -> None:
    """Any flipped bit of a model is found before it serves."""
    bundle = write(tmp_path)
    path = bundle.file("models/m/trees")
    good = bytearray(path.read_bytes())
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bad)
    with pytest.raises(RunError) as error:
        load_bundle(bundle.folder)
    path.write_bytes(good)
    assert code(error) == "E6404"


def test_missing_parts_are_told_apart(tmp_path: Path) -> None:
    """No bundle, a missing file, and a manifest that is not one each have their code."""
    bundle = write(tmp_path)
    with pytest.raises(RunError) as error:
        load_bundle(tmp_path / "none")
    assert code(error) == "E6402"
    bundle.file("models/m/trees").unlink()
    with pytest.raises(RunError) as error:
        load_bundle(bundle.folder)
    assert code(error) == "E6403"
    (bundle.folder / "bundle.json").write_text("{}")
    with pytest.raises(RunError) as error:
        load_bundle(bundle.folder)
    assert code(error) == "E6406"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ""])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    """A manifest that points outside its folder is refused."""
    bundle = write(tmp_path)
    manifest = json.loads((bundle.folder / "bundle.json").read_text())
    manifest["files"] = {name: "0" * 64}
    (bundle.folder / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError) as error:
        load_bundle(bundle.folder)
    assert code(error) == "E6406"


@pytest.mark.parametrize("part", ["system", "spec", "features"])
def test_mixed_sets_are_refused(tmp_path: Path, part: str) -> None:
    """A bundle of another system, spec or features than the service's is refused, and the part is named."""
    bundle = write(tmp_path, **{part: "other"})
    with pytest.raises(RunError, match=part) as error:
        check_fits(bundle, system="s", spec="a", features="b")
    assert code(error) == "E6405"


def test_bundle_is_found_where_it_is_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word in the environment, the current version of the project is taken."""
    monkeypatch.delenv("MLSD_BUNDLE", raising=False)
    service = tmp_path / "generated" / "s" / "service" / "service.py"
    service.parent.mkdir(parents=True)
    with pytest.raises(RunError) as error:
        locate_bundle("s", service)
    assert code(error) == "E6402"
    state = tmp_path / ".mlsd" / "s"
    state.mkdir(parents=True)
    (state / "current").write_text("v7\n")
    assert locate_bundle("s", service) == state / "versions" / "v7"
