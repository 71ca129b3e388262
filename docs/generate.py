# ruff: noqa: INP001, ANN401, PLR0911, T201 - a script; types are looked at as values; one return a form; it prints
"""Write the pages of docs/ that are made from the source: the reference of the language and the error codes.

`python docs/generate.py` writes what changed; `--check` says what is stale and exits 1.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.ir.functions.page import with_table
from mlsd_framework.kinds.builtin import PLUGIN
from mlsd_framework.plugin.registry import Registry, registry
from mlsd_framework.spec.base import ExpressionText, Name, SpecModel, SystemName
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.quantities import Count, Duration, Fraction, OneOrMore, Rate, Size, write_duration
from mlsd_framework.spec.retrievers import RetrieverSpec
from mlsd_framework.spec.system import SECTIONS, SystemSpec

DOCS: Final = Path(__file__).resolve().parent
HEAD: Final = "<!-- written by docs/generate.py; change the source, not this page -->\n\n"
QUANTITIES: Final = (
    (Duration, "duration", "a number and a unit, `us ms s m h d w`, joined at will", "`50ms`, `1h30m`, `7d`"),
    (Fraction, "share", "a number from 0 to 1, or a percentage", "`0.7`, `70%`"),
    (Rate, "rate", "a number a second, minute, hour or day", "`2000/s`, `10k/s`, `5M/d`"),
    (Count, "count", "a whole number, with `k M G T` for thousands", "`500`, `10k`, `2M`"),
    (Size, "size", "bytes, with `KB MB GB TB` for 1024 and on", "`64KB`, `2GB`"),
    (Name, "name", "a letter, then letters, digits and `_`; 63 at most", "`card_activity`"),
    (SystemName, "system name", "a lower-case letter, then those, digits and `-`; 63 at most", "`card-fraud`"),
    (ExpressionText, "expression", "a typed scalar of SQL, see [Expressions](../expressions.md)", "`amount > 500`"),
)
PLAIN: Final = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "`true` or `false`",
    date: "date",
    NoneType: "null",
    Any: "any value",
}
TAGS: Final = frozenset({"kind", "stage", "metric"})
RANGES: Final = (
    ("E1", "Shape of a spec: YAML, keys, values"),
    ("E2", "References and types"),
    ("E3", "What a target cannot express"),
    ("E4", "Plugins"),
    ("E5", "Plan and deploy"),
    ("E6", "Data and run"),
    ("E9", "Faults of mlsd itself"),
)


def words(hint: Any) -> str:
    """Return a type as a page says it: `duration`, `list of names`, a link to a mapping's own heading."""
    for known, word, _, _ in QUANTITIES:
        if hint == known:
            return word
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner, *extra = arguments
        plural = any(one == OneOrMore for one in extra)
        return f"{words(get_args(inner)[0])}, or a list of them" if plural else words(inner)
    if origin is Literal:
        return ", ".join(f"`{_yaml(one)}`" for one in arguments)
    if origin in (Union, UnionType):
        if all(_kind(one) for one in arguments):
            return "one of the kinds below"
        return " or ".join(dict.fromkeys(words(one) for one in arguments if one is not NoneType))
    if origin is list:
        return f"list of {words(arguments[0])}"
    if origin is dict:
        return f"mapping of {words(arguments[0])} to {words(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{title(hint)}](#{anchor(title(hint))})"
    return PLAIN.get(hint, str(getattr(hint, "__name__", hint)).lower().replace("awaredatetime", "timestamp"))


def _kind(hint: Any) -> bool:
    """Say whether a type is the mapping of one kind, which has a heading of its own."""
    found = list(models_in(hint))
    return bool(found) and all(TAGS & set(model.model_fields) for model in found)


def title(model: type[BaseModel]) -> str:
    """Return the heading of a mapping: its class in words, without `Spec`."""
    name = model.__name__.removesuffix("Spec")
    return "".join(f" {char.lower()}" if char.isupper() and index else char for index, char in enumerate(name))


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return "".join(char for char in heading.lower().replace(" ", "-") if char.isalnum() or char in "-_")


def default(field: FieldInfo, hint: Any) -> str:
    """Return a key's default as a spec would write it."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SpecModel):
        return "its defaults"
    if value is None or value in ("", [], {}):
        return "—"
    if isinstance(value, dict):
        return ", ".join(f"`{name}`" for name in value)
    if hint == Size:
        return f"`{value // 2**20}MB`" if value >= 2**20 else f"`{value // 2**10}KB`"
    return f"`{_yaml(value)}`"


def _yaml(value: object) -> str:
    if isinstance(value, timedelta):
        return write_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def bounds(field: FieldInfo) -> str:
    """Return a key's bounds in words."""
    said = []
    for one in field.metadata:
        match one:
            case Ge(ge=value):
                said.append(f"at least {_yaml(value)}")
            case Gt(gt=value):
                said.append(f"above {_yaml(value)}")
            case Le(le=value):
                said.append(f"at most {_yaml(value)}")
            case Lt(lt=value):
                said.append(f"below {_yaml(value)}")
            case MinLen(min_length=value) if value > 1:
                said.append(f"at least {value} of them")
            case MaxLen(max_length=value):
                said.append(f"at most {value} long")
    return f"; {', '.join(said)}" if said else ""


def keys(model: type[BaseModel], without: frozenset[str] = frozenset()) -> list[str]:
    """Return the table of a mapping's keys; none where it has none of its own."""
    hints = get_type_hints(model, include_extras=True)
    rows = []
    for name, field in model.model_fields.items():
        if name in without or name in TAGS:
            continue
        text = f"{words(hints[name])}{bounds(field)}".replace("|", "\\|")
        rows.append(f"| `{field.alias or name}` | {text} | {default(field, hints[name])} | {field.description or ''} |")
    return ["| key | type | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else []


def about(model: type[BaseModel]) -> list[str]:
    """Return a mapping's docstring, and its short form."""
    paragraphs = [" ".join(part.split()) for part in (model.__doc__ or "").split("\n\n")]
    lines = [line for part in paragraphs for line in (part, "")]
    short = getattr(model, "short", None)
    return [*lines, f"Short form: the value of `{short}` alone.", ""] if short else lines


def mappings(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """Yield headings and tables of the mappings below `model`, once each."""
    for hint in get_type_hints(model, include_extras=True).values():
        for inner in models_in(hint):
            if inner in seen:
                continue
            seen.add(inner)
            yield from (f"## {title(inner)}", "", *about(inner), *keys(inner))
            yield from mappings(inner, seen)


def models_in(hint: Any) -> Iterator[type[BaseModel]]:
    """Yield the mappings that a type names, left to right."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for argument in get_args(hint):
        yield from models_in(argument)


def kind_pages(section: str, registry: Registry) -> tuple[dict[str, Any], type[BaseModel] | None, str]:
    """Return the kinds that a section can name, what they share, and how one is written."""
    kinds = registry.kinds
    match section:
        case "sources":
            return dict(kinds.sources), base(kinds.sources), "kind: {}"
        case "models":
            return dict(kinds.models), base(kinds.models), "kind: {}"
        case "serving":
            return dict(kinds.stages), base(kinds.stages), "- {}"
        case "metrics":
            return dict(kinds.metrics), base(kinds.metrics), "- {}"
    return {}, None, ""


def base(kinds: Mapping[str, Any]) -> type[BaseModel]:
    """Return the mapping of `spec/` that all kinds of a section build on."""
    one: type[BaseModel] = next(iter(kinds.values())).spec
    return next(
        parent
        for parent in reversed(one.__mro__)
        if parent.__module__.startswith("mlsd_framework.spec.") and parent is not SpecModel
    )


def section_page(section: str, registry: Registry) -> str:
    """Return one section's page."""
    field = registry.spec.model_fields[section]
    lines = [f"# `{section}`", "", field.description or "", ""]
    seen: set[type[BaseModel]] = set()
    kinds, shared, written = kind_pages(section, registry)
    specs = [kind.spec for kind in kinds.values()]
    seen.update(specs)
    (top,) = list(models_in(get_type_hints(registry.spec, include_extras=True)[section]))[:1]
    if top not in specs:
        # What `system_model` assembles is described by the section's own line.
        lines += [*([] if top.__module__ == SystemSpec.__module__ else about(top)), *keys(top)]
        seen.add(top)
    if shared is not None:
        lines += [f"## {title(shared)}", "", *about(shared), *keys(shared)]
        seen.add(shared)
    for name, kind in sorted(kinds.items()):
        lines += kind_lines(written.format(name), kind, shared)
    for model in (top, *([shared] if shared else []), *specs):
        lines += mappings(model, seen)
    if section == "models":
        lines += finders(registry, seen)
    if section == "features":
        lines += aggregates(registry)
        lines += ["## Groups with a `kind`", "", *about(DerivedGroupSpec), *keys(DerivedGroupSpec)]
        lines += ["A kind adds keys of its own; `mlsd plugins` lists the kinds at hand.", ""]
    return HEAD + "\n".join(lines).rstrip() + "\n"


def finders(registry: Registry, seen: set[type[BaseModel]]) -> list[str]:
    """Return the part of a page that kinds of models have which find candidates."""
    kinds = sorted(registry.retrievers.items())
    lines = ["## Models that find candidates", "", *about(RetrieverSpec), *keys(RetrieverSpec)]
    for name, kind in kinds:
        lines += kind_lines(f"kind: {name}", kind, RetrieverSpec)
    seen.update([RetrieverSpec, *(kind.spec for _, kind in kinds)])
    return [*lines, *(line for _, kind in kinds for line in mappings(kind.spec, seen))]


def kind_lines(written: str, kind: Any, shared: type[BaseModel] | None) -> list[str]:
    """Return the part of a page that one kind has."""
    common = set(shared.model_fields) if shared else set()
    own = {
        name: field
        for name, field in kind.spec.model_fields.items()
        if name not in common or _stricter(field, shared, name)
    }
    lines = [
        f"## `{written}`",
        "",
        *about(kind.spec),
        *keys(kind.spec, frozenset(set(kind.spec.model_fields) - set(own))),
    ]
    if hasattr(kind, "higher_is_better"):
        way = "higher is better" if kind.higher_is_better else "lower is better"
        lines += [f"Needs {', '.join(f'`{one}`' for one in sorted(kind.needs))}; {way}.", ""]
    return lines


def _stricter(field: FieldInfo, shared: type[BaseModel] | None, name: str) -> bool:
    return shared is not None and field.is_required() != shared.model_fields[name].is_required()


def aggregates(registry: Registry) -> list[str]:
    """Return the table of aggregates."""
    rows = [f"| `{one.name}` | {one.takes} |" for one in registry.kinds.aggregates.values()]
    return ["## Aggregates", "", "| aggregate | takes |", "|---|---|", *rows, ""]


def index_page(registry: Registry) -> str:
    """Return the page that the reference begins with."""
    fields = registry.spec.model_fields
    lines = [
        "# Reference of the language",
        "",
        "A spec is one YAML file. Unknown keys are errors.",
        "",
        "| section | what it says |",
        "|---|---|",
    ]
    for name in SystemSpec.model_fields:
        shown = f"[`{name}`]({name}.md)" if name in SECTIONS else f"`{name}`"
        lines.append(f"| {shown} | {fields[name].description} |")
    lines += ["", "## Types", "", "| type | how it is written | such as |", "|---|---|---|"]
    lines += [f"| {word} | {how} | {such} |" for _, word, how, such in QUANTITIES]
    lines += [
        "",
        "YAML is read as version 1.2 says: `no` and `on` are text, `1e3` is a number.",
        "A key that stands twice is an error.",
    ]
    return HEAD + "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the page of all codes, range by range."""
    lines = ["# Error codes", "", "`mlsd explain CODE` prints one of them.", ""]
    for prefix, meaning in RANGES:
        found = [code for name, code in sorted(CODES.items()) if name.startswith(prefix)]
        lines += [f"## {prefix[1]}xxx: {meaning}", ""] if found else []
        for code in found:
            lines += [f"### {code.code} `{code.name}`", "", code.meaning, "", code.cure, ""]
            for word, example in (("Wrong", code.wrong), ("Right", code.right)):
                lines += [f"{word}:", "", "```", *example.strip("\n").split("\n"), "```", ""] if example else []
    return HEAD + "\n".join(lines).rstrip() + "\n"


def pages() -> dict[Path, str]:
    """Return every page that is made from the source."""
    own = registry([PLUGIN])  # whatever else is installed here has pages of its own
    made = {DOCS / "reference" / f"{section}.md": section_page(section, own) for section in SECTIONS}
    expressions = DOCS / "expressions.md"
    made[DOCS / "reference" / "index.md"] = index_page(own)
    made[DOCS / "errors.md"] = errors_page()
    made[expressions] = with_table(expressions.read_text(encoding="utf-8"))
    return made


def stale() -> dict[Path, str]:
    """Return the pages that are not as the source has them."""
    return {
        path: text for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }


def main(arguments: list[str]) -> int:
    """Write the stale pages, or name them."""
    found = stale()
    for path, text in found.items():
        print(path.relative_to(DOCS.parent))
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
