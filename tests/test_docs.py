"""The documentation says what is so: links, commands, files, examples, generated pages."""

import argparse
import importlib
import importlib.util
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from mlsd_framework.cli.main import COMMANDS
from mlsd_framework.kinds.builtin import PLUGIN
from mlsd_framework.lower.system import lower_system
from mlsd_framework.passes import check
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.plugin.registry import registry
from mlsd_framework.runtime.features.snapshots import derived_features
from mlsd_framework.spec.loading import load
from mlsd_framework.targets.bentoml.files import bentoml_files
from mlsd_framework.targets.training.files import training_files

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("plugins/*/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"mlsd ([a-z]+)([^`\n]*)")
SOURCE_FILE = re.compile(r"`([a-z_]+(?:/[a-z_]+)*/[a-z_]+\.py)`")
TOLD = [path for path in PAGES if path.name != "errors.md"]
DESIGNS = sorted(ROOT.glob("generated/*/README.md"))


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _headings(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    lines = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w-]", "", line.lower().replace(" ", "-")) for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the project, and a heading of it where it names one."""
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        assert not anchor or anchor in _headings(found), target


@pytest.mark.parametrize("page", [*TOLD, *DESIGNS], ids=_named)
def test_commands_exist(page: Path) -> None:
    """Every `mlsd` command that a page names exists, with the options that it names."""
    for name, rest in _commands(page.read_text(encoding="utf-8")):
        assert any(name in group for group in COMMANDS.values()), name
        options = set(re.findall(r"--[a-z-]+", rest.split("#")[0]))
        assert options <= _options(name), f"mlsd {name}{rest}"


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield what stands in code spans, and in lines of fences."""
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    for one in (*spans, *lines):
        found = COMMAND.match(one.strip())
        if found:
            yield found[1], found[2]


def _options(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    importlib.import_module(f"mlsd_framework.cli.{command}").configure(parser)
    return set(_strings(parser)) | {"--help"}


def _strings(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        for inner in (getattr(action, "choices", None) or {}).values() if isinstance(action.choices, dict) else ():
            yield from _strings(inner)


@pytest.mark.parametrize("page", TOLD, ids=_named)
def test_recipes_and_files_exist(page: Path) -> None:
    """Every `make` recipe and every source file that a page names exists."""
    text = page.read_text(encoding="utf-8")
    recipes = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= recipes
    for name in SOURCE_FILE.findall(text):
        places = (ROOT / name, ROOT / "mlsd_framework" / name, ROOT / "mlsd_framework/runtime/serving" / name)
        generated = list(ROOT.glob(f"generated/*/{name}"))
        assert generated or any(place.exists() for place in places), name


def test_the_generated_pages_are_current() -> None:
    """`make docs` would write nothing."""
    assert [path.name for path in _module(DOCS / "generate.py", "generate_docs").stale()] == []


def test_the_spec_of_the_readme_is_right(tmp_path: Path) -> None:
    """The first spec that a reader sees compiles, in about twenty lines."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    spec = next(text for language, text in FENCE.findall(readme) if language == "yaml")
    (tmp_path / "orders.yaml").write_text(spec, encoding="utf-8")
    compiled = compile_spec(tmp_path / "orders.yaml")
    assert compiled.system.name == "orders"
    assert compiled.warnings == ()
    assert len(spec.splitlines()) <= 28


def test_yaml_of_the_pages_is_yaml() -> None:
    """Every YAML example of a page can be read."""
    import yaml  # noqa: PLC0415 - only here

    for page in TOLD:
        for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "yaml":
                assert yaml.safe_load(text), page.name


def test_the_feature_group_of_the_docs_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind that docs/plugins.md adds is typed and checked, and what generated scripts say computes its values."""
    blocks = [text for language, text in FENCE.findall((DOCS / "plugins.md").read_text(encoding="utf-8")) if language]
    kind, snapshot = (text for text in blocks if text.startswith('"""') and "usual_hour" in text)
    [features] = (text for text in blocks if text.startswith("features:"))
    package = tmp_path / "mlsd_hours"
    package.mkdir()
    (package / "kind.py").write_text(kind, encoding="utf-8")
    (package / "snapshot.py").write_text(snapshot, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    kinds = registry([PLUGIN, importlib.import_module("mlsd_hours.kind").PLUGIN])
    small = (ROOT / "tests/targets/docs/small.yaml").read_text(encoding="utf-8")
    spec = small.replace("features:\n", features, 1)
    for text, faults in (
        (spec, []),
        (spec.replace("from: orders\n    window", "from: [orders, orders]\n    window"), ["E2010"]),
    ):
        (tmp_path / "orders.yaml").write_text(text, encoding="utf-8")
        system, found = lower_system(load(tmp_path / "orders.yaml", kinds.spec), kinds.kinds)
        assert [one.code for one in found] == faults
        if not faults:
            assert check(system) == []
            written = {one.path: one.text for one in training_files(system, "orders.yaml", kinds)}
            (tmp_path / "features.py").write_text(written["training/features.py"], encoding="utf-8")
    assert 'derived_features({"orders": orders}, rows, RHYTHM_GROUP, time=' in written["training/dataset.py"]
    group = _module(tmp_path / "features.py", "features_of_the_docs").RHYTHM_GROUP
    hours = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (9, 9, 17)]
    events = pl.DataFrame({"customer": [1, 1, 1], "ts": hours}, schema_overrides={"ts": pl.Datetime("us", "UTC")})
    asked = pl.DataFrame({"customer": [1, 2], "ts": [datetime(2024, 1, 2, 1, tzinfo=UTC)] * 2}, schema=events.schema)
    found_rows = derived_features({"orders": events.with_row_index("order_id")}, asked, group, time="ts").rows()
    assert found_rows == [(9, 2), (None, 0)]


def test_the_plugin_of_the_docs_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage that docs/plugins.md adds is typed, checked, and written into a service that compiles."""
    page = (DOCS / "plugins.md").read_text(encoding="utf-8")
    code = next(text for language, text in FENCE.findall(page) if language == "python")
    (tmp_path / "mlsd_denied.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    kinds = registry([PLUGIN, importlib.import_module("mlsd_denied").PLUGIN])
    small = (ROOT / "tests/targets/docs/small.yaml").read_text(encoding="utf-8")
    cases = (("customer", "17", []), ("custmer", "17", ["E2051"]), ("customer", "x", ["E2045"]))
    for column, value, faults in cases:
        stage = f"      - denied: {{column: {column}, of: [{value}], action: hold, priority: 10}}\n"
        spec = small.replace("      - rules:\n", f"{stage}      - rules:\n")
        (tmp_path / "orders.yaml").write_text(spec, encoding="utf-8")
        system, found = lower_system(load(tmp_path / "orders.yaml", kinds.spec), kinds.kinds)
        assert [one.code for one in found] == faults
        if not faults:
            assert check(system) == []
            service = next(one.text for one in bentoml_files(system, "orders.yaml", kinds) if "service.py" in one.path)
            assert 'Rule("denied", "hold", "customer is on the list denied", priority=10)' in service
            assert "*denied_held" in service
            compile(service, "service.py", "exec")
