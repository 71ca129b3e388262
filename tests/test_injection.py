"""Values of a spec that try to become code: in every place each is refused with a diagnostic, or is a constant."""

import ast
import copy
import io
import json
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.spec.document import read_document
from mlsd_framework.targets import artefacts

ROOT = Path(__file__).parents[1]
SPECS = ("specs/fraud.yaml", "specs/benchmarks/fraud_ulb.yaml", "tests/targets/cases/everything.yaml")
MARK = "PWN7"
PAYLOADS = (
    f'"{MARK}',
    f"'{MARK}",
    f'"""\nimport {MARK}\n"""',
    f"'''\n{MARK}()\n'''",
    f"\n{MARK} = 1\n",
    f"\r{MARK}\r\n",
    f"\\{MARK}\\",
    f"\\x00\\N{{BELL}}\\u000a{MARK}",
    f'\\"); {MARK}() #',
    f"{{{{ {MARK}.__class__ }}}}{{% include '/etc/passwd' %}}{{# {MARK} #}}",
    f"${{{MARK}}}${{oc.env:HOME}}$({MARK})`{MARK}`",
    f"# -*- coding: utf-7 -*-\n+ADw-{MARK}+AD4-",
    f"../../{MARK}",
    f"/tmp/{MARK}",  # noqa: S108 - a payload
    f"C:\\{MARK}",
    f"; rm -rf {MARK} | cat & > {MARK}",
    f"\u2028{MARK}\u2029\u0085\x0b\x0c{MARK}",
    f"\u202e{MARK}\u2066\u200f\ufeff",
    MARK * 20_000,
    f"\ud800{MARK}",
    f"*/ --> {MARK} <script>{MARK}</script> ]]>",
    f"- {MARK}: &a [*a] !!python/object:os.system {{x: y}} | > % @",
    f"null\n---\n{MARK}: {{}}\n...",
    f"%({MARK})s {{{MARK}}} %s",
    f"\x1b[31m{MARK}\x07\x00",
    f"__{MARK}__",
    f"{MARK} and 1 or __import__('os').system('x')",
)
ALL = "".join(one for one in PAYLOADS if len(one) < 1000 and "\ud800" not in one)
Loc = tuple[str | int, ...]


@cache
def read(spec: str) -> Any:
    """Return a spec's data."""
    return json.loads(json.dumps(read_document(ROOT / spec).data, default=lambda moment: moment.isoformat()))


def places(data: Any, at: Loc = ()) -> Iterator[tuple[Loc, bool]]:
    """Yield the place of every text, and of every key."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*at, key), True
            yield from places(value, (*at, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from places(value, (*at, index))
    elif isinstance(data, str):
        yield at, False


def different(spec: str) -> list[tuple[Loc, bool]]:
    """Return one place of each sort: columns that differ in their number alone are one sort."""
    found: dict[tuple[str, bool], tuple[Loc, bool]] = {}
    for at, key in places(read(spec)):
        sort = re.sub(r"\bV\d+\b", "V", repr(at))
        found.setdefault((sort, key), (at, key))
    return list(found.values())


def with_text(spec: str, at: Loc, key: bool, text: str) -> Any:
    """Return the spec with `text` in one place."""
    data = copy.deepcopy(read(spec))
    holder = data
    for part in at[:-1]:
        holder = holder[part]
    if key:
        items = [(text if name == at[-1] else name, value) for name, value in holder.items()]
        holder.clear()
        holder.update(items)
    else:
        holder[at[-1]] = text
    return data


def build(data: Any, path: Path) -> dict[str, str] | None:
    """Return the generated files, or none where the spec is refused with diagnostics; anything else is raised."""
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        compiled = compile_spec(path)
    except SpecError as fault:
        refused = [one.code for one in fault.diagnostics]
    else:
        return {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}
    assert refused
    assert all(code.startswith("E") for code in refused)
    return None


class _Blank(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(type(node.value).__name__)


@cache
def python_shape(text: str) -> str:
    """Return the tree of a module with its constants blanked."""
    return ast.dump(_Blank().visit(ast.parse(text)))


def data_shape(value: Any) -> Any:
    """Return data with its texts blanked."""
    if isinstance(value, dict):
        return {key: data_shape(item) for key, item in value.items()}
    return [data_shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def shape(path: str, text: str) -> Any:
    """Return what a generated file is but for its constants."""
    if path.endswith(".py"):
        return python_shape(text)
    if path.endswith(".json"):
        return data_shape(json.loads(text))
    return data_shape(yaml.safe_load(text)) if path.endswith(".yaml") else None


def check(files: dict[str, str], harmless: dict[str, str], *, comments: bool = True) -> None:
    """Check that every file is what the harmless one is but for constants, and that no comment holds the payload."""
    assert set(files) == set(harmless)
    for path, text in files.items():
        text.encode("utf-8")
        assert shape(path, text) == shape(path, harmless[path]), path
        if path.endswith(".py"):
            assert text.isascii()
            if comments:
                told = [
                    token.string
                    for token in tokenize.generate_tokens(io.StringIO(text).readline)
                    if token.type == tokenize.COMMENT
                ]
                assert not any(MARK in comment for comment in told)
        elif path.endswith(".yaml") and comments:
            assert not any(MARK in line for line in text.splitlines() if line.lstrip().startswith("#"))
        elif path.endswith(".md"):
            assert "<script" not in text


@pytest.mark.parametrize("spec", SPECS[:2], ids=lambda spec: Path(spec).stem)
def test_every_text_and_key_is_refused_or_inert(spec: str, tmp_path: Path) -> None:
    """All payloads at once in every place, then single ones in turn: more of them where the text is taken."""
    path = tmp_path / "spec.yaml"
    harmless: dict[str, str] | None
    original = build(read(spec), path)
    assert original is not None
    taken = 0
    for number, (at, key) in enumerate(different(spec)):
        free = build(with_text(spec, at, key, ALL), path) is not None
        tried = [PAYLOADS[(number * 7 + step) % len(PAYLOADS)] for step in range(9 if free else 1)]
        built = [build(with_text(spec, at, key, payload), path) for payload in (*tried, *([ALL] if free else []))]
        found = [files for files in built if files is not None]
        if found:
            taken += 1
            harmless = build(with_text(spec, at, key, "harmless"), path) or original
            for files in found:
                check(files, harmless)
    assert taken > 0


def quoted(payload: str) -> str:
    """Return a payload as a text in an expression."""
    return "'" + payload.replace("'", "''") + "'"


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_text_in_an_expression_is_a_constant(payload: str, tmp_path: Path) -> None:
    """A payload in quotes inside rules, features, costs, conditions of aggregates and fallbacks stays a constant."""

    def spec(text: str) -> Any:
        data = copy.deepcopy(read(SPECS[2]))
        features, pipeline = data["features"], data["serving"]["/v1/authorise"]["pipeline"]
        features["payment"]["compute"]["kind"] = (
            f"case when currency = {quoted(text)} then {quoted(text)} else currency end"
        )
        features["card"]["aggregate"]["large"] = (
            f"count() where currency in ({quoted(text)}, 'x') or currency like {quoted(text)}"
        )
        pipeline[7]["rules"][1]["when"] = (
            f"concat(currency, {quoted(text)}) = {quoted(text)} or starts_with(currency, {quoted(text)})"
        )
        pipeline[9]["decide"]["cost"]["false_positive"] = f"case when currency = {quoted(text)} then 8 else 3 end"
        pipeline[11]["fallback"]["when"][0]["when"] = f"currency = {quoted(text)}"
        return data

    path = tmp_path / "spec.yaml"
    harmless = build(spec("harmless"), path)
    assert harmless is not None
    files = build(spec(payload), path)
    if files is not None:
        check(files, harmless)


@pytest.mark.parametrize(
    "name",
    [
        "coding: utf-7", "a\nimport PWN7\n", "a\rPWN7", '"""', "'''\n", "# -*- coding=utf-7 -*-", "{{ 7*7 }}",
        "\u2028PWN7", "\u202ePWN7", "+ADw-script+AD4-", "a:1\n- b", "${HOME}", "<script>", "é\u0085x", "-->", "\udcff",
    ],
)  # fmt: skip
def test_the_path_of_the_spec_is_inert_too(name: str, tmp_path: Path) -> None:
    """A folder's name stands in comments as a few plain characters and sets no encoding."""
    plain, odd = tmp_path / "plain", tmp_path / name
    plain.mkdir()
    odd.mkdir()
    harmless, files = build(read(SPECS[0]), plain / "x.yaml"), build(read(SPECS[0]), odd / "x.yaml")
    assert harmless is not None
    assert files is not None
    check(files, harmless, comments=False)
    for path, text in files.items():
        if path.endswith(".py"):
            assert tokenize.detect_encoding(io.BytesIO(text.encode()).readline)[0] == "utf-8"
            assert "coding:" not in text.split("\n\n", 1)[0]


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    """Files of a spec that is full of payloads lie in the system's folder, and nothing else is there."""
    data = copy.deepcopy(read(SPECS[0]))
    data["description"] = ALL
    data["sources"]["payments"]["describe"] = ALL
    data["sources"]["payments"]["schema"]["amount"]["describe"] = ALL
    data["models"]["fraud"]["describe"] = ALL
    files = build(data, tmp_path / "spec.yaml")
    assert files is not None
    (tmp_path / "generated").mkdir()
    written = write(tmp_path / "generated" / "card-fraud", files)
    assert set(written.changed) == set(files)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"spec.yaml", *(f"generated/card-fraud/{path}" for path in files)}
