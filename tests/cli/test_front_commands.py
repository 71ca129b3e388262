"""validate, show, schema, init, explain, plugins: what people and programs get."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from mlsd_framework.cli.schema import schema
from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.spec.document import read_document

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
SPECS = sorted([*(ROOT / "specs").glob("*.yaml"), *(ROOT / "specs" / "benchmarks").glob("*.yaml")])


def test_init_writes_a_spec_that_is_valid(mlsd: Run, tmp_path: Path) -> None:
    """`mlsd init` then `mlsd validate` is ok, and the modeline names a schema that is there."""
    assert mlsd("init", "my-fraud").returncode == 0
    spec = tmp_path / "specs" / "my_fraud.yaml"
    first = spec.read_text().splitlines()[0]
    assert (spec.parent / first.split("$schema=")[1]).is_file()
    done = mlsd("validate", "my-fraud")
    assert (done.returncode, done.stderr) == (0, "")
    assert "specs/my_fraud.yaml: ok" in done.stdout


def test_init_leaves_a_spec_alone(mlsd: Run, tmp_path: Path) -> None:
    """A second `mlsd init` changes nothing, exit status 2."""
    mlsd("init", "my-fraud")
    spec = tmp_path / "specs" / "my_fraud.yaml"
    spec.write_text("mine")
    assert mlsd("init", "my-fraud").returncode == 2
    assert spec.read_text() == "mine"


@pytest.fixture
def faulty(mlsd: Run, tmp_path: Path) -> str:
    """Return the path of a spec with two faults."""
    mlsd("init", "bad")
    spec = tmp_path / "specs" / "bad.yaml"
    spec.write_text(
        spec.read_text().replace("mean(amount)", "meen(amount)").replace("- explain: fraud", "- explain: frod")
    )
    return "specs/bad.yaml"


def test_validate_prints_every_fault_in_order(mlsd: Run, faulty: str) -> None:
    """All faults are printed with place and suggestion, exit status 1."""
    done = mlsd("validate", faulty)
    assert done.returncode == 1
    assert "specs/bad.yaml:46:19: error[E2040]: `meen` is not an aggregate" in done.stderr
    assert "did you mean `mean`?" in done.stderr


@pytest.mark.parametrize(("form", "first"), [("oneline", "specs/bad.yaml:"), ("json", "["), ("sarif", "{")])
def test_validate_speaks_to_programs(mlsd: Run, faulty: str, form: str, first: str) -> None:
    """Other formats go to standard output, whole, exit status 1."""
    done = mlsd("validate", faulty, "--format", form)
    assert done.returncode == 1
    assert done.stdout.startswith(first)
    if form == "json":
        assert json.loads(done.stdout)[0]["code"] == "E2040"
    if form == "sarif":
        result = json.loads(done.stdout)["runs"][0]["results"][0]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 46


def test_a_spec_that_is_not_there(mlsd: Run) -> None:
    """A wrong path or name is a fault with a hint, no traceback."""
    done = mlsd("validate", "nothing")
    assert done.returncode == 1
    assert "there is no spec `nothing`" in done.stderr
    assert "Traceback" not in done.stderr


def test_show_says_where_values_came_from(mlsd: Run) -> None:
    """Lines of the file, the environment, `--set` and defaults are told apart; the output is YAML again."""
    mlsd("init", "my-fraud")
    done = mlsd("show", "my-fraud", "--set", "models.fraud.depth=4")
    lines = {line.split("#")[0].strip(): line.split("#")[-1].strip() for line in done.stdout.splitlines()}
    assert lines["depth: 4"] == "--set models.fraud.depth=4"
    assert lines["iterations: 100"].startswith("line ")
    assert lines["border_count: 254"] == "default"


def test_show_is_a_spec_of_the_same_meaning(mlsd: Run, tmp_path: Path) -> None:
    """The long form validates, and shows as itself."""
    mlsd("init", "my-fraud")
    long = mlsd("show", "my-fraud").stdout
    (tmp_path / "specs" / "long.yaml").write_text(long)
    again = mlsd("show", "specs/long.yaml")
    assert again.returncode == 0, again.stderr
    assert [line.split("#")[0].rstrip() for line in again.stdout.splitlines()] == [
        line.split("#")[0].rstrip() for line in long.splitlines()
    ]


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_the_schema_accepts_our_specs(spec: Path) -> None:
    """Every spec of ours fits the schema that editors use."""
    jsonschema.Draft202012Validator(schema()).validate(read_document(spec).data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("event_time: ts", "event_tme: ts"),
        ("- fetch:", "- fecth:"),
        ("iterations: 300", "iterations: many"),
        ("refresh: 1h", "refresh: soon"),
        ("kind: simulated", "kind: imagined"),
    ],
)
def test_the_schema_refuses_typos(tmp_path: Path, old: str, new: str) -> None:
    """What the compiler refuses by shape, the schema refuses too."""
    text = (ROOT / "specs" / "fraud.yaml").read_text()
    assert old in text
    path = tmp_path / "typo.yaml"
    path.write_text(text.replace(old, new, 1))
    assert not jsonschema.Draft202012Validator(schema()).is_valid(read_document(path).data)


@pytest.mark.parametrize("code", ["E2040", "e2040", "unknown-aggregate"])
def test_explain_prints_a_page(mlsd: Run, code: str) -> None:
    """A code in any case, or the name of the fault, has its page."""
    if code == "unknown-aggregate" and "E2040" in CODES:
        code = CODES["E2040"].name
    done = mlsd("explain", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("E2040")


def test_explain_suggests(mlsd: Run) -> None:
    """An unknown code gets the nearest one, exit status 1."""
    done = mlsd("explain", "E20401")
    assert done.returncode == 1
    assert "did you mean `E204" in done.stderr


def test_plugins_lists_the_built_in_kinds(mlsd: Run) -> None:
    """The built-in plugin comes through the same door as any."""
    listed = json.loads(mlsd("plugins", "--json").stdout)
    assert "catboost.classifier" in listed["builtin"]["models"]


def test_show_says_what_depends_on_what(mlsd: Run) -> None:
    """`--graph` prints every need, `--of` everything before and after one place; a wrong place gets a suggestion."""
    mlsd("init", "my-fraud")
    needs = json.loads(mlsd("show", "my-fraud", "--graph", "--json").stdout)
    assert needs["features.card_activity"] == ["sources.payments", "entities.card"]
    of = json.loads(mlsd("show", "my-fraud", "--of", "features.card_activity", "--json").stdout)
    assert of["made_into"] == ["features.payment", "models.fraud", "serving./decide"]
    wrong = mlsd("show", "my-fraud", "--of", "features.card_activty")
    assert wrong.returncode == 1
    assert "did you mean `features.card_activity`?" in wrong.stderr
