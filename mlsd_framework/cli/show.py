"""Print a spec's long form, or what depends on what in it."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlsd_framework.cli.main import AT_FAULT, OK
from mlsd_framework.cli.specs import add_spec, find_spec

if TYPE_CHECKING:
    from mlsd_framework.ir.system import System

_COLUMN = 64
_At = tuple[str | int, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_spec(parser)
    parser.add_argument("--json", action="store_true", help="print as JSON, without origins")
    parser.add_argument("--graph", action="store_true", help="print what each declared thing is made from")
    parser.add_argument(
        "--of",
        metavar="PLACE",
        help="print all that this is made from and all that is made from it, such as features.payment",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the long form."""
    from mlsd_framework.plan.compilation import compile_spec

    compiled = compile_spec(find_spec(arguments.spec), environment=arguments.env, assignments=arguments.assignments)
    if arguments.graph or arguments.of:
        return _graph(compiled.system, arguments.of, as_json=arguments.json)
    data = compiled.loaded.spec.model_dump(mode="json", by_alias=True)
    if arguments.json:
        print(json.dumps(data, indent=2))
        return OK
    layers = compiled.loaded.layers
    for text, at in _lines(_unfilled(data), (), 0):
        origin = layers.origin(at) if at else ""
        print(f"{text:<{_COLUMN}}  # {origin}" if origin else text)
    return OK


def _unfilled(data: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping without nulls, its values folded."""
    return {key: _folded(value) for key, value in data.items() if value is not None}


def _graph(system: "System", place: str | None, *, as_json: bool) -> int:
    import networkx as nx

    from mlsd_framework.diagnostics.suggest import nearest
    from mlsd_framework.ir.graph import dependency_graph

    graph = dependency_graph(system)
    if place is not None and place not in graph:
        near = nearest(place, graph.nodes)
        print(f"`{place}` is not declared" + (f"; did you mean `{near}`?" if near else ""), file=sys.stderr)
        return AT_FAULT
    ordered = list(nx.lexicographical_topological_sort(graph, key=list(graph).index))
    if place is not None:
        needed, needing = nx.ancestors(graph, place), nx.descendants(graph, place)
        found = {
            "made_from": [one for one in ordered if one in needed],
            "made_into": [one for one in ordered if one in needing],
        }
    else:
        found = {one: [before for before in ordered if graph.has_edge(before, one)] for one in ordered}
    if as_json:
        print(json.dumps(found, indent=2))
        return OK
    for one, listed in found.items():
        print(f"{one.replace('_', ' ') if place else one}" + (":" if listed else ""))
        for other in listed:
            print(f"  {other}")
    return OK


def _folded(data: object) -> object:
    """Write items of pipelines and metrics as the language does: under the key of their kind."""
    if isinstance(data, dict):
        for tag in ("stage", "metric"):
            if isinstance(data.get(tag), str) and "as" in data:
                return {data[tag]: _unfilled({key: value for key, value in data.items() if key != tag})}
        return _unfilled(data)
    if isinstance(data, list):
        return [_folded(one) for one in data]
    return data


def _lines(value: dict[str, Any] | list[Any], at: _At, depth: int) -> Iterator[tuple[str, _At]]:
    pad = "  " * depth
    if isinstance(value, dict):
        for key, item in value.items():
            below = (*at, key)
            if isinstance(item, dict | list) and item and not _flat(item):
                yield f"{pad}{_scalar(key)}:", ()
                yield from _lines(item, below, depth + 1)
            else:
                yield f"{pad}{_scalar(key)}: {_flow(item)}", below
        return
    for index, item in enumerate(value):
        lines = (
            list(_lines(item, (*at, index), depth + 1))
            if isinstance(item, dict | list) and item
            else [(f"{pad}  {_flow(item)}", (*at, index))]
        )
        first, rest = lines[0], lines[1:]
        yield f"{pad}- {first[0].lstrip()}", first[1]
        yield from rest


def _flat(item: object) -> bool:
    return isinstance(item, list) and all(not isinstance(one, dict | list) for one in item)


def _flow(item: object) -> str:
    if isinstance(item, list):
        return f"[{', '.join(_flow(one) for one in item)}]"
    return "{}" if item == {} else _scalar(item)


def _scalar(value: object) -> str:
    """Write a scalar as YAML 1.2: plain where that is unmistakable, else in JSON's double quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = value and value[0].isalnum() and all(char.isalnum() or char in "_./%-" for char in value)
    looks_other = value in ("true", "false", "null") or value.replace(".", "", 1).replace("e", "", 1).isdigit()
    return (
        value
        if (plain and not looks_other) or (value.startswith("/") and value[1:].isidentifier())
        else json.dumps(value)
    )
