"""Mutated specs: whatever is done to a spec, it compiles or is refused with codes that have pages."""

import random
import string
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import InternalError, MlsdError
from mlsd_framework.diagnostics.render.machine import as_data, sarif
from mlsd_framework.diagnostics.render.pretty import render
from mlsd_framework.plan.compilation import compile_spec

ROOT = Path(__file__).parents[2]
SPECS = (ROOT / "specs" / "fraud.yaml", ROOT / "specs" / "benchmarks" / "fraud_ulb.yaml")
BATCHES, EACH = 20, 100

TEXTS = (
    "", " ", "'", '"', "\\", "\n", "a\nb", "\t", "\u2028", "\u202e", "é", "名前", "\U0001f4b3", "{{ 7 }}", "{% raw %}",
    "${oc.env:HOME}", "${", "???", "$(id)", "`id`", "; rm -rf /", "../../etc/passwd", "/etc/passwd", "C:\\x", "~/x",
    "file:///etc/passwd", "-*- coding: utf-7 -*-", "+AAo-import os", "__import__('os')", "%s%n", "<script>", "]]>",
    "-- x", "/* x", "null", "true", "1e400", "-0", "0x", "*", "*.*", "a.*", "a.b.c", ".", "..", "card_activity.*",
    "amount", "fraud", "payments", "x" * 300, "(" * 60, "1d", "-1d", "0", "9" * 40, "100%", "NaN", "=", "<<", "&a",
)  # fmt: skip
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    0.5,
    -0.5,
    1e300,
    [],
    {},
    [[]],
    [None],
    {"a": {"b": []}},
    [1, "a"],
)


def containers(data: Any) -> list[Any]:
    """Return every mapping and list of `data`."""
    found, open_ = [], [data]
    while open_:
        one = open_.pop()
        if isinstance(one, dict | list):
            found.append(one)
            open_ += one.values() if isinstance(one, dict) else one
    return [one for one in found if one]


def somewhere(data: Any, rng: random.Random) -> tuple[Any, Any]:
    """Return a container and one of its keys."""
    holder = rng.choice(containers(data))
    return holder, rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))


def delete(data: Any, rng: random.Random) -> None:
    """Take one entry away."""
    holder, key = somewhere(data, rng)
    del holder[key]


def duplicate(data: Any, rng: random.Random) -> None:
    """Put one entry there twice."""
    holder, key = somewhere(data, rng)
    if isinstance(holder, list):
        holder.insert(key, holder[key])
    else:
        holder[f"{key}_2"] = holder[key]


def rename(data: Any, rng: random.Random) -> None:
    """Misspell a key, or make it something else altogether."""
    holder, key = somewhere(data, rng)
    if isinstance(holder, dict):
        cut = rng.randrange(len(key) + 1)
        wrong = key[:cut] + rng.choice(string.ascii_letters) + key[cut:]
        holder[rng.choice((wrong, key[::-1], rng.choice(TEXTS)))] = holder.pop(key)


def text(data: Any, rng: random.Random) -> None:
    """Put a nasty text in a value's place, or into it."""
    holder, key = somewhere(data, rng)
    nasty = rng.choice(TEXTS)
    old = holder[key]
    cut = rng.randrange(len(old) + 1) if isinstance(old, str) else 0
    holder[key] = old[:cut] + nasty + old[cut:] if isinstance(old, str) and rng.random() < 0.5 else nasty


def value(data: Any, rng: random.Random) -> None:
    """Put a value of another type in a value's place."""
    holder, key = somewhere(data, rng)
    holder[key] = rng.choice(VALUES)


def swap(data: Any, rng: random.Random) -> None:
    """Exchange two values."""
    first, second = somewhere(data, rng), somewhere(data, rng)
    one, two = first[0][first[1]], second[0][second[1]]
    if first[0] is not two and second[0] is not one and not nested(one, second[0]) and not nested(two, first[0]):
        first[0][first[1]], second[0][second[1]] = two, one


def borrow(data: Any, rng: random.Random) -> None:
    """Put a word of the spec where another stands, so that names and expressions are wrong and the shape is right."""
    words = [(one, key) for one in containers(data) for key, _ in pairs(one) if isinstance(one[key], str)]
    if words:
        (holder, key), (other, there) = rng.choice(words), rng.choice(words)
        holder[key] = other[there]


def pairs(holder: Any) -> list[tuple[Any, Any]]:
    """Return the entries of a mapping or a list."""
    return list(holder.items() if isinstance(holder, dict) else enumerate(holder))


def nested(outer: Any, inner: Any) -> bool:
    """Say whether `inner` stands somewhere in `outer`."""
    return any(one is inner for one in containers(outer))


def wrap(data: Any, rng: random.Random) -> None:
    """Nest a value deep in lists or mappings."""
    holder, key = somewhere(data, rng)
    for _ in range(rng.choice((1, 2, 50))):
        holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}


ONCE = (delete, duplicate, rename, text, value, swap, wrap)
CHANGES: tuple[Callable[[Any, random.Random], None], ...] = (*ONCE, text, *[borrow] * 8)


def flipped(raw: bytes, rng: random.Random) -> bytes:
    """Return the bytes with some of them changed, left out, or cut short."""
    found = bytearray(raw)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(found))
        match rng.randrange(4):
            case 0:
                found[at] = rng.randrange(256)
            case 1:
                del found[at]
            case 2:
                found[at:at] = rng.choice(
                    (b"\n", b" ", b":", b"-", b"'", b'"', b"{", b"[", b"#", b"&a ", b"*a", b"\t", b"|\n")
                )
            case _:
                found = found[: max(1, at)] if rng.random() < 0.2 else found
    return bytes(found)


def mutated(originals: list[bytes], rng: random.Random) -> bytes:
    """Return one mutated spec."""
    raw = rng.choice(originals)
    if rng.random() < 0.35:
        return flipped(raw, rng)
    data = yaml.load(raw, yaml.CSafeLoader)
    for _ in range(rng.randrange(1, 4)):
        rng.choice(CHANGES)(data, rng)
        if not data:
            return b"{}"
    return str(yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)).encode()


def check(found: tuple[Diagnostic, ...], path: Path) -> None:
    """Hold faults against what every fault promises: a page, a place inside the file, a text that can be printed."""
    content = path.read_bytes().decode("utf-8-sig", errors="replace")
    rows = content.split("\n")
    assert found
    for one in found:
        assert one.code in CODES, one
        assert one.what, one
        if one.span is not None:
            assert one.span.path == str(path)
            assert 1 <= one.span.line <= len(rows), one
            assert 1 <= one.span.column <= len(rows[one.span.line - 1]) + 1, one
            assert (one.span.end_line, one.span.end_column) >= (one.span.line, one.span.column), one
    shown = render(found, {str(path): content})
    assert all(char == "\n" or char.isprintable() for char in shown)
    assert [as_data(one) for one in found]
    assert sarif(found, "0")["runs"]


class Seal:
    """Lets nothing be opened for writing and no process start while it is closed; one hook for the whole run."""

    def __init__(self) -> None:
        """Begin open."""
        self.closed = False
        self.hooked = False
        self.broken: list[str] = []

    def __enter__(self) -> None:
        """Close."""
        if not self.hooked:
            sys.addaudithook(self.watch)
            self.hooked = True
        self.closed = True

    def __exit__(self, *_: object) -> None:
        """Open."""
        self.closed = False

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note what is done that must not be."""
        if not self.closed:
            return
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if event in FORBIDDEN or (writes and "__pycache__" not in str(arguments[0])):
            self.broken.append(f"{event} {arguments}")


FORBIDDEN = (
    "os.system",
    "os.exec",
    "subprocess.Popen",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.symlink",
    "socket.connect",
)
SEAL = Seal()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutated_specs_compile_or_are_refused(batch: int, tmp_path: Path) -> None:
    """2,000 mutations in all: success, or faults with pages and places; no file is written, no process started."""
    rng = random.Random(batch)  # noqa: S311 - the same mutations every time
    originals = [path.read_bytes() for path in SPECS]
    path = tmp_path / "mutated.yaml"
    before = sorted(one.name for one in tmp_path.iterdir())
    for number in range(EACH):
        path.write_bytes(mutated(originals, rng))
        try:
            with SEAL:
                compile_spec(path)
        except InternalError as fault:
            pytest.fail(f"{batch}/{number}: {fault}")
        except MlsdError as fault:
            check(fault.diagnostics, path)
    assert SEAL.broken == []
    assert sorted(one.name for one in tmp_path.iterdir()) == [*before, "mutated.yaml"]
