"""The proof as a page: what holds, what does not with every finding, and what was exercised."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.verify.coverage import FeatureCoverage
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.parity import GroupParity
from mlsd_framework.runtime.verify.proof import Proof

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = "td:first-child code { white-space: nowrap; max-width: none; } td p { margin: 0; }"


def write(path: Path, proof: Proof) -> None:
    """Write the page to `path`."""
    atomic.write_text(path, page(proof))


def page(proof: Proof) -> str:
    """Return the whole page; it is one file and forbids itself every connection."""
    style = files("mlsd_framework.runtime.training.report").joinpath("style.css").read_text()
    body = "\n".join(
        [_header(proof), _tiles(proof), _parity(proof.parity), _leakage(proof.leakage), _coverage(proof.coverage)]
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(f"Proof of {proof.system}")}</title>
<style>{style}{_STYLE}</style>
</head>
<body>
<main>
{body}
<footer>Written by mlsd. This page is one file and needs no network.</footer>
</main>
</body>
</html>
"""


def _header(proof: Proof) -> str:
    facts = {"made": proof.when, "in": f"{proof.seconds:.1f} s", **proof.fingerprints}
    shown = "".join(f"<span>{escape(name)} <b>{escape(value)}</b></span>" for name, value in facts.items())
    lead = "One value of every feature in each of its homes, and nothing from the future in the training set."
    return (
        f"<h1>Proof of {escape(proof.system)} {_mark(holds=proof.holds)}</h1>\n"
        f'<p class="soft">{lead}</p>\n<div class="facts">{shown}</div>'
    )


def _tiles(proof: Proof) -> str:
    values = sum(one.values for one in proof.parity)
    differing = sum(one.differing for one in proof.parity)
    tiles = [(f"{values:,}", "values compared between homes"), (f"{differing:,}", "of them differ")]
    if proof.leakage is not None:
        tiles += [
            (f"{proof.leakage.rows:,}", "rows made again with a changed future"),
            (f"{proof.leakage.leaking:,}", "values of them changed"),
        ]
    uncovered = sum(bool(one.missing) for one in proof.coverage)
    tiles.append((f"{len(proof.coverage) - uncovered} / {len(proof.coverage)}", "features exercised in every case"))
    shown = "".join(f'<div class="tile"><b>{value}</b><small>{escape(label)}</small></div>' for value, label in tiles)
    return f'<div class="tiles">{shown}</div>'


def _parity(groups: Sequence[GroupParity]) -> str:
    rows = [
        [
            f"<code>{escape(one.group)}</code>",
            f'<span class="values">{escape(", ".join(one.homes))}</span>{_absent(one)}',
            f"{one.questions:,}",
            f"{one.values:,}",
            f"{one.differing:,}",
            _mark(holds=one.holds),
        ]
        for one in groups
    ]
    text = _section("Parity", _table(["group", "homes", "questions", "values compared", "differ", ""], rows))
    found = [difference for group in groups for difference in group.differences]
    if found:
        shown = [
            [
                f"<code>{escape(one.feature)}</code>",
                _pairs(one.entity),
                escape(one.moment),
                escape(one.case),
                "<br>".join(f"{escape(home)} <code>{escape(repr(value))}</code>" for home, value in one.values.items()),
            ]
            for one in found
        ]
        text += _section("Values that differ", _table(["feature", "entity", "moment", "case", "values"], shown))
    return text


def _leakage(found: Leakage | None) -> str:
    if found is None:
        return ""
    sums = Counter[tuple[str, str]]()
    for one in found.plants:
        sums[one.source, one.kind] += one.rows
    rows = [[f"<code>{escape(source)}</code>", escape(kind), f"{number:,}"] for (source, kind), number in sums.items()]
    cuts = ", ".join(found.cuts)
    notes = "".join(f'<p class="soft">{_words(note)}.</p>' for note in (found.sample, *found.notes) if note)
    again = (
        f"made again after this had changed: {escape(cuts)}"
        if found.held_out
        else f"before {escape(cuts or 'no cut')}, made again after everything that was known later had changed"
    )
    lead = f'<p class="soft">{found.rows:,} rows of {found.columns} columns, {again}.</p>{notes}'
    text = _section("Leakage", f"{lead}{_table(['source', 'planted', 'rows'], rows)}")
    if found.leaks:
        shown = [
            [
                f"<code>{escape(one.column)}</code>",
                _pairs(one.row),
                escape(one.moment),
                escape(one.cut),
                f"<code>{escape(repr(one.before))}</code>",
                f"<code>{escape(repr(one.after))}</code>",
            ]
            for one in found.leaks
        ]
        text += _section("Leaks", _table(["column", "row", "moment", "changed from", "before", "after"], shown))
    return text


def _coverage(features: Sequence[FeatureCoverage]) -> str:
    if not features:
        return ""
    cases = list(dict.fromkeys(case for one in features for case in one.cases))
    rows = [
        [f"<code>{escape(one.feature)}</code>", *(_case(one, case) for case in cases), _mark(holds=not one.missing)]
        for one in features
    ]
    lead = '<p class="soft">How many questions met each case; a dash says that the feature cannot meet it.</p>'
    return _section("Coverage", f"{lead}{_table(['feature', *map(escape, cases), ''], rows)}")


def _case(one: FeatureCoverage, case: str) -> str:
    number = one.cases.get(case)
    if number:
        return f"{number:,}"
    reason = one.excused.get(case, "" if number is None else "not exercised")
    shown = "&ndash;" if number is None or case in one.excused else "0"
    return f'<span class="soft" title="{escape(reason)}">{shown}</span>'


def _absent(one: GroupParity) -> str:
    return "".join(f"<br><small>no {escape(home)}: {escape(why)}</small>" for home, why in one.absent.items())


def _pairs(found: object) -> str:
    items = found.items() if isinstance(found, dict) else ()
    return f'<span class="values">{escape(", ".join(f"{name}={value}" for name, value in items))}</span>'


def _mark(*, holds: bool) -> str:
    word = "holds" if holds else "fails"
    return f'<span class="mark {word}">{word}</span>'


def _section(heading: str, content: str) -> str:
    return f"<h2>{heading}</h2>{content}"


def _table(names: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _words(text: str) -> str:
    """Return a text with its names, between backticks, set as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
