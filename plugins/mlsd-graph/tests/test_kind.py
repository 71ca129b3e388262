"""`kind: graph` for the compiler: the group that a spec means, the bad specs and their texts, nothing heavy."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from mlsd_framework.diagnostics.errors import MlsdError
from mlsd_framework.diagnostics.render.pretty import render
from mlsd_framework.ir.features import DerivedGroup, Reading
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.plugin.registry import installed
from mlsd_framework.spec.document import read_document

from mlsd_graph.plugin import PLUGIN

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
SPEC = HERE.parent / "specs" / "fraud_rings.yaml"


def test_the_entry_point_names_the_plugin() -> None:
    """Mlsd finds the plugin where the package is installed, and its kind is one of the language's."""
    assert PLUGIN in installed().plugins
    assert list(installed().kinds.features) == ["graph"]


def test_the_group_is_what_the_spec_says() -> None:
    """Key, sources, columns, lengths, settings, types, defaults and words stand in the ir."""
    group = compile_spec(SPEC).system.group("device_graph")
    assert isinstance(group, DerivedGroup)
    assert (group.kind, group.entity, group.key) == ("graph", "card", ("card_id",))
    assert group.readings == (Reading("payments", ("card_id", "device_id"), distinct=True),)
    assert (group.window, group.refresh, group.delay) == (timedelta(days=30), timedelta(days=1), timedelta(0))
    assert dict(group.settings)["by"] == ("device_id",)
    assert [(one.name, str(one.type)) for one in group.features] == [
        ("degree", "int64"),
        ("shared_neighbours", "int64"),
        ("component_size", "int64"),
        ("community_size", "int64"),
        ("pagerank", "float64?"),
    ]
    assert group.defaults == (0, 0, 1, 1, None)
    assert group.features[0].describe == "other cards that share device id with the card"


@pytest.mark.parametrize("spec", BAD, ids=[spec.stem for spec in BAD])
def test_a_bad_spec_is_refused_with_its_full_text(
    spec: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    """The output has the code of the file's name and is exactly the expected text."""
    monkeypatch.chdir(spec.parent)
    with pytest.raises(MlsdError) as caught:
        compile_spec(Path(spec.name))
    assert spec.name.split("_")[0] in {one.code for one in caught.value.diagnostics}
    text = render(caught.value.diagnostics, {spec.name: spec.read_text(encoding="utf-8")})
    expected = spec.with_suffix(".expected.txt")
    if pytestconfig.getoption("--snapshot-update"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_settings_change_what_is_computed(tmp_path: Path) -> None:
    """A setting, a window or a measure changes the fingerprint of features; a description does not."""
    from mlsd_framework.ir.fingerprint import features_fingerprint  # noqa: PLC0415 - only here

    text = SPEC.read_text(encoding="utf-8")
    cases = {
        "as it is": (text, True),
        "window": (text.replace("    window: 30d\n", "    window: 7d\n"), False),
        "hubs": (text.replace("    window: 30d\n", "    window: 30d\n    hub_above: 50\n"), False),
        "refresh": (text.replace("    refresh: 1d\n", "    refresh: 12h\n"), False),
        "words": (text.replace("    refresh: 1d\n", "    refresh: 1d\n    describe: {degree: neighbours}\n"), True),
    }
    first = features_fingerprint(compile_spec(SPEC).system)
    for name, (changed, same) in cases.items():
        (tmp_path / "rings.yaml").write_text(changed, encoding="utf-8")
        assert (features_fingerprint(compile_spec(tmp_path / "rings.yaml").system) == first) is same, name


def test_the_spec_is_read_without_the_compiler() -> None:
    """The reference spec is plain YAML with one group of this kind."""
    assert [name for name, one in read_document(SPEC).data["features"].items() if "kind" in one] == ["device_graph"]


def test_compiling_loads_nothing_heavy() -> None:
    """Importing the plugin brings in no data frame and no graph library."""
    heavy = "{'polars', 'numpy', 'scipy', 'igraph', 'networkx', 'numba'}"
    code = f"import sys, mlsd_graph.plugin; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
