"""The JSON Schema of the language: pydantic's, with the short forms that its validators accept."""

import copy
from typing import Any

from mlsd_framework.spec.base import SpecModel
from mlsd_framework.spec.system import SystemSpec

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[SystemSpec]) -> dict[str, Any]:
    """Return the schema of `model` for editors and checkers."""
    made = model.model_json_schema(by_alias=True, mode="validation")
    shorts = _shorts(SpecModel)
    for name, definition in made.get("$defs", {}).items():
        made["$defs"][name] = _with_short_form(definition, shorts.get(name))
    _unfold_items(made)
    return {"$schema": _DIALECT, "title": "mlsd spec", **made}


def _shorts(model: type[SpecModel]) -> dict[str, str]:
    found = {model.__name__: model.short} if model.short else {}
    for below in model.__subclasses__():
        found |= _shorts(below)
    return {name: short for name, short in found.items() if short}


def _with_short_form(definition: dict[str, Any], short: str | None) -> dict[str, Any]:
    """Let a value stand for the mapping that holds it under `short`, and nothing for one without required keys."""
    options = [definition]
    if short is not None:
        options.append(copy.deepcopy(definition["properties"][short]))
    if not definition.get("required") and definition.get("type") == "object":
        options.append({"type": "null"})
    return definition if len(options) == 1 else {"anyOf": options}


def _unfold_items(made: dict[str, Any]) -> None:
    """Write the items of pipelines and metrics as the language does: one key, the kind, with its settings."""
    for definition in _objects(made):
        for key in ("pipeline", "offline"):
            items = definition.get("properties", {}).get(key, {}).get("items")
            if items is not None:
                definition["properties"][key]["items"] = _one_key(items, made["$defs"])


def _objects(made: dict[str, Any]) -> list[dict[str, Any]]:
    found = [made]
    for definition in made.get("$defs", {}).values():
        found += [option for option in definition.get("anyOf", [definition]) if isinstance(option, dict)]
    return found


def _one_key(items: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, dict[str, Any]] = {}
    for option in items.get("oneOf", items.get("anyOf", [items])):
        reference = option["$ref"].rsplit("/", 1)[-1]
        options = definitions[reference].get("anyOf", [definitions[reference]])
        for tag in ("stage", "metric"):
            kind = options[0].get("properties", {}).get(tag)
            if kind is not None:
                names[kind["const"]] = {"$ref": f"#/$defs/{reference}"}
                del options[0]["properties"][tag]
                options[0]["required"] = [name for name in options[0].get("required", []) if name != tag]
    mapping = {
        "type": "object",
        "properties": names,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [mapping, {"enum": sorted(names)}]}
