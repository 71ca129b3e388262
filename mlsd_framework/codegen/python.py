"""Typed emitters of Python source: values become literals, calls are laid out as a formatter would.

No text of a spec reaches a Python file except through `literal`, which quotes it, or `identifier`, which refuses
whatever is no name.
"""

import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from mlsd_framework.codegen.layout import INDENT, WIDTH, layout, operator
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import InternalError

_INDENT = INDENT


@dataclass(frozen=True, slots=True)
class Raw:
    """Source that an emitter of ours made, such as a name or an expression."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """`name(positional, key=value)`; arguments are values, raw source or further calls."""

    name: str
    positional: tuple["Item", ...] = ()
    named: tuple[tuple[str, "Item"], ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """`{key: value}` with keys in the order given."""

    entries: tuple[tuple["Item", "Item"], ...] = ()


Value = str | int | float | bool | None | timedelta
Item = Value | Raw | Call | Mapping | Sequence["Item"]


@dataclass
class Imports:
    """The imports of one generated file."""

    names: dict[str, set[str]] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)

    def add(self, module: str, *names: str) -> None:
        """Import `names` from `module`, or the module itself."""
        if names:
            self.names.setdefault(module, set()).update(names)
        else:
            self.modules.add(module)

    def add_lines(self, lines: Iterable[str]) -> None:
        """Import what lines such as `import polars as pl` and `from a import b` do."""
        for line in lines:
            module, _, name = line.removeprefix("from ").partition(" import ")
            self.add(*([module, name] if name else [line.removeprefix("import ")]))

    def bound(self) -> frozenset[str]:
        """Return the names that the imports give the file."""
        names = [name for found in self.names.values() for name in found] + [
            module.split(".")[0] if " as " not in module else module for module in self.modules
        ]
        return frozenset(name.split(" as ")[-1] for name in names)

    def lines(self) -> list[str]:
        """Return the import block as isort orders it: standard library, packages, ours."""
        parts: list[list[str]] = [[], [], []]
        for module in sorted(self.modules):
            parts[_rank(module)].append(f"import {module}")
        for module, names in sorted(self.names.items()):
            renamed = {name for name in names if " as " in name}
            parts[_rank(module)] += [_from(module, [name]) for name in sorted(renamed, key=_isort)]
            if names - renamed:
                parts[_rank(module)].append(_from(module, sorted(names - renamed, key=_isort)))
        blocks = ["\n".join(sorted(part, key=_import_order)) for part in parts if part]
        return "\n\n".join(blocks).split("\n")


_STANDARD = frozenset(
    {
        "__future__",
        "argparse",
        "collections",
        "dataclasses",
        "datetime",
        "functools",
        "json",
        "math",
        "os",
        "pathlib",
        "shutil",
        "sys",
        "tempfile",
        "typing",
    }
)


def _rank(module: str) -> int:
    top = module.split(" ", maxsplit=1)[0].split(".", maxsplit=1)[0]
    if top in _STANDARD:
        return 0
    return 2 if top == "mlsd_framework" else 1


_NUMBERS: Final = re.compile(r"(\d+)")


def _isort(name: str) -> tuple[int, tuple[tuple[str, int], ...], str]:
    """Constants, then classes, then functions; numbers in names by their size."""
    bare = name.split(" ", maxsplit=1)[0]
    return (0 if bare.isupper() and len(bare) > 1 else 1 if bare[:1].isupper() else 2, _by_numbers(bare.lower()), bare)


def _by_numbers(name: str) -> tuple[tuple[str, int], ...]:
    """Return a key that orders `als_8` before `als_16`."""
    return tuple(
        (part if not part.isdigit() else "", int(part) if part.isdigit() else -1) for part in _NUMBERS.split(name)
    )


def _import_order(line: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    return (0 if line.startswith("import ") else 1, _by_numbers(line.split(" ")[1]))


def _from(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"{_INDENT}{name},\n" for name in names) + ")"


def identifier(name: str) -> str:
    """Return `name` where it is a Python name; anything else is a bug of the passes before."""
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise InternalError(Diagnostic(code="E9001", what=f"`{name!r}` reached generated code as a name"))
    return name


def constant(name: str) -> str:
    """Return `name` as a module-level constant: `card_activity` is `CARD_ACTIVITY`."""
    return identifier(name.replace("-", "_")).upper()


def literal(value: Value) -> str:
    """Return a Python literal, text in double quotes and in ASCII."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, timedelta):
        return _duration(value)
    if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return f'float("{value}")'
    return repr(value)


def _quoted(value: str) -> str:
    body = "".join(_escaped(char) for char in value)
    if value.count('"') > value.count("'"):
        return "'" + body.replace("'", "\\'") + "'"
    return '"' + body.replace('"', '\\"') + '"'


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isascii() and char.isprintable():
        return char
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"  # noqa: PLR2004 - widths of escapes


_UNITS = (
    ("days", 86_400_000_000),
    ("hours", 3_600_000_000),
    ("minutes", 60_000_000),
    ("seconds", 1_000_000),
    ("milliseconds", 1000),
    ("microseconds", 1),
)


def _duration(value: timedelta) -> str:
    left = round(value / timedelta(microseconds=1))
    if left == 0:
        return "timedelta(0)"
    parts = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{name}={count}")
    return f"timedelta({', '.join(parts)})"


def emit(item: Item, indent: int = 0, before: int = 0) -> str:
    """Return the source of `item`; `indent` levels deep, with `before` characters on its first line already.

    What does not fit into a line is broken one part a line with a trailing comma, as ruff's formatter does.
    """
    line = _line(item)
    if len(_INDENT) * indent + before + len(line) <= WIDTH:
        return line
    if isinstance(item, Raw):
        return layout(line, indent, before)
    opened, parts, closed = _parts(item)
    if not parts:
        return line
    pad, inner = _INDENT * indent, _INDENT * (indent + 1)
    one = ", ".join(prefix + _line(part) for prefix, part in parts)
    if isinstance(item, Call) and len(inner) + len(one) <= WIDTH and len(parts) > 0 and not _magic(item):
        return f"{opened}\n{inner}{one}\n{pad}{closed}"
    rows = [f"{inner}{prefix}{emit(part, indent + 1, len(prefix) + 1)},\n" for prefix, part in parts]
    return f"{opened}\n{''.join(rows)}{pad}{closed}"


def _magic(item: Call) -> bool:
    """Say whether to break one argument a line even where they would fit on one: declarations read better so."""
    return len(item.named) > 2  # noqa: PLR2004 - a matter of taste


def _line(item: Item) -> str:
    match item:
        case Raw():
            return item.text
        case Call():
            parts = [_line(one) for one in item.positional] + [f"{name}={_line(value)}" for name, value in item.named]
            return f"{item.name}({', '.join(parts)})"
        case Mapping():
            return "{" + ", ".join(f"{_line(key)}: {_line(value)}" for key, value in item.entries) + "}"
        case tuple():
            return f"({', '.join(_line(one) for one in item)}{',' if len(item) == 1 else ''})"
        case list():
            return f"[{', '.join(_line(one) for one in item)}]"
        case _:
            return literal(item)  # type: ignore[arg-type]  # what is no item of code is a value


def _parts(item: Item) -> tuple[str, list[tuple[str, Item]], str]:
    match item:
        case Call():
            parts: list[tuple[str, Item]] = [("", one) for one in item.positional]
            return f"{item.name}(", parts + [(f"{name}=", value) for name, value in item.named], ")"
        case Mapping():
            return "{", [(f"{_line(key)}: ", value) for key, value in item.entries], "}"
        case tuple():
            return "(", [("", one) for one in item], ")"
        case list():
            return "[", [("", one) for one in item], "]"
        case _:
            return "", [], ""


def assigned(target: str, item: Item, indent: int, sign: str = "=") -> list[str]:
    """Return the lines of `target = item`, `indent` levels deep, without that indentation."""
    return _bracketed(f"{target} {sign} ", item, indent, "")


def condition(keyword: str, item: Item, indent: int) -> list[str]:
    """Return the lines of `if item:`, `indent` levels deep, without that indentation."""
    return _bracketed(f"{keyword} ", item, indent, ":")


def _bracketed(opening: str, item: Item, indent: int, closing: str) -> list[str]:
    line = _line(item)
    if len(_INDENT) * indent + len(opening) + len(line) + len(closing) > WIDTH and operator(line):
        text = f"(\n{_INDENT * (indent + 1)}{layout(line, indent + 1, 0)}\n{_INDENT * indent})"
    else:
        text = emit(item, indent, len(opening) + len(closing))
    return [part.removeprefix(_INDENT * indent) for part in f"{opening}{text}{closing}".split("\n")]


def indented(lines: Iterable[str], levels: int = 1) -> str:
    """Return `lines` joined and indented, blank ones left bare."""
    return "\n".join(_INDENT * levels + line if line else "" for line in lines)


def given(**named: Item) -> tuple[tuple[str, Item], ...]:
    """Return the named arguments that differ from none and from the empty tuple, in the order given."""
    return tuple((name, value) for name, value in named.items() if value is not None and value != ())
