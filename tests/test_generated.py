"""Generated code: formatted, clean, typed, the same bytes each time, and current in the repository."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlsd_framework.codegen.artefacts import stale, write
from mlsd_framework.diagnostics.errors import PlanError
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.targets import artefacts

ROOT = Path(__file__).parents[1]
CASES = sorted((ROOT / "tests" / "targets" / "cases").glob("*.yaml"))
SPECS = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "specs" / "benchmarks").glob("*.yaml"))]
RULES = "E,F,W,I,UP,B,SIM,RET,PIE"

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")


def files_of(spec: Path) -> tuple[str, dict[str, str]]:
    """Return the system's name and its generated files."""
    compiled = compile_spec(spec.relative_to(Path.cwd()))
    return compiled.system.name, {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the generated files of every case and every spec, a folder a system."""
    folder = tmp_path_factory.mktemp("generated")
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        for spec in (*CASES, *SPECS):
            name, files = files_of(spec)
            write(folder / name, files)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def minimal(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the files of the smallest case."""
    monkeypatch.chdir(ROOT)
    return files_of(next(path for path in CASES if path.stem == "minimal"))[1]


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a tool; return what it says, and fail with it where it fails."""
    found = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_a_formatter_changes_nothing(trees: Path) -> None:
    """Generated Python is as `ruff format` leaves it."""
    run("ruff", "format", "--isolated", "--no-cache", "--line-length", "120", "--check", "--diff", str(trees))


def test_a_linter_finds_nothing(trees: Path) -> None:
    """Generated Python has no unused name, no long line, no import out of order."""
    run(
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--line-length",
        "120",
        "--target-version",
        "py311",
        "--select",
        RULES,
        str(trees),
    )


def test_generated_code_is_typed(trees: Path) -> None:
    """Services pass `mypy --strict`, scripts pass mypy; one run for all, as modules of one package each."""
    options = "--namespace-packages", "--explicit-package-bases", "--ignore-missing-imports", "--follow-imports=silent"
    cache = f"--cache-dir={ROOT / '.mypy_cache'}"
    aliases = trees.parent / "typed"
    for path in sorted(trees.glob("*/*/*.py")):
        system, part, name = path.relative_to(trees).parts
        place = aliases / system.replace("-", "_") / part / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path.read_text())
    strict = "[mypy]\n" + "".join(
        f"[mypy-{path.parent.parent.name}.service.service]\ndisallow_untyped_defs = True\n"
        "disallow_any_generics = True\n"
        "disallow_untyped_calls = True\nwarn_return_any = True\nno_implicit_reexport = True\nstrict_equality = True\n"
        for path in aliases.glob("*/service/service.py")
    )
    config = aliases / "mypy.ini"
    config.write_text(strict)
    run("mypy", "--config-file", str(config), *options, cache, ".", cwd=aliases, MYPYPATH=str(ROOT))


def test_the_same_spec_gives_the_same_bytes_in_any_process() -> None:
    """The order of sets and dictionaries of a process shows nowhere."""
    program = (
        "import hashlib, sys; from pathlib import Path\n"
        "from mlsd_framework.plan.compilation import compile_spec; from mlsd_framework.targets import artefacts\n"
        "made = [compile_spec(Path(path)) for path in sys.argv[1:]]\n"
        "texts = [one.path + one.text for c in made for one in artefacts(c.system, c.registry)]\n"
        "print(hashlib.sha256('\\0'.join(texts).encode()).hexdigest())"
    )
    paths = [str(path.relative_to(ROOT)) for path in (*CASES, *SPECS)]
    found = {
        subprocess.run(
            [sys.executable, "-c", program, *paths],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_the_repository_is_current(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`generated/` is what the specs give."""
    monkeypatch.chdir(ROOT)
    name, files = files_of(spec)
    assert stale(ROOT / "generated" / name, files) == []


def test_writing_again_changes_nothing(minimal: dict[str, str], tmp_path: Path) -> None:
    """The second build writes no file, and leaves each one's time alone."""
    folder = tmp_path / "minimal"
    assert set(write(folder, minimal).changed) == set(minimal)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = write(folder, minimal)
    assert (again.changed, again.removed, again.foreign) == ((), (), ())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert stale(folder, minimal) == []


def test_files_that_are_made_no_more_are_removed(minimal: dict[str, str], tmp_path: Path) -> None:
    """What only the former build made goes, its folder with it; what others put there stays and is named."""
    folder = tmp_path / "minimal"
    files = {path: text for path, text in minimal.items() if path != "manifest.json"}
    extra = {**minimal, "old/gone.py": "1\n"}
    manifest = json.loads(minimal["manifest.json"])
    manifest["files"]["old/gone.py"] = {"from": "x", "sha256": "x"}
    write(folder, {**extra, "manifest.json": json.dumps(manifest)})
    (folder / "mine.txt").write_text("mine")
    assert "old/gone.py" in stale(folder, minimal)
    written = write(folder, minimal)
    assert written.removed == ("old/gone.py",)
    assert written.foreign == ("mine.txt",)
    assert not (folder / "old").exists()
    assert (folder / "mine.txt").read_text() == "mine"
    assert all((folder / path).read_text() == text for path, text in files.items())


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"files": 3}', '{"files": {"../x": {}}}', '{"files": {"/etc/passwd": {}}}']
)
def test_a_damaged_manifest_owns_nothing(damage: str, minimal: dict[str, str], tmp_path: Path) -> None:
    """Without a manifest that can be read no file is removed, inside the folder or outside."""
    folder = tmp_path / "minimal"
    folder.mkdir()
    (folder / "kept.py").write_text("1")
    (tmp_path / "x").write_text("outside")
    (folder / "manifest.json").write_text(damage)
    written = write(folder, minimal)
    assert written.removed == ()
    assert "kept.py" in written.foreign
    assert (tmp_path / "x").read_text() == "outside"


@pytest.mark.parametrize("linked", ["", "training", "training/features.py", "manifest.json"])
def test_nothing_is_written_through_a_link(linked: str, minimal: dict[str, str], tmp_path: Path) -> None:
    """A symbolic link in the way is refused, and what it leads to is untouched."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("kept")
    folder = tmp_path / "generated" / "minimal"
    place = folder / linked if linked else folder
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere / "file" if "." in linked else elsewhere)
    with pytest.raises(PlanError, match="symbolic link"):
        write(folder, minimal)
    assert [path.name for path in elsewhere.iterdir()] == ["file"]
    assert (elsewhere / "file").read_text() == "kept"


def test_a_full_disk_leaves_what_was_there(
    minimal: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be written is said, the former one stands, and no part of the new one is left."""
    folder = tmp_path / "minimal"
    write(folder, minimal)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlanError, match="No space left"):
        write(folder, {**minimal, "training/features.py": "changed\n"})
    assert (folder / "training" / "features.py").read_text() == minimal["training/features.py"]
    assert not list(folder.rglob("*.part"))
