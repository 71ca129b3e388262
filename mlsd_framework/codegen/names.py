"""Names in generated code: whatever the spec calls things, two of them never share one, nor take one of ours."""

import re
from collections.abc import Iterable

from mlsd_framework.codegen.python import identifier

BUILTINS = frozenset(
    {
        "bool", "bytes", "dict", "float", "frozenset", "int", "isinstance", "len", "list", "max", "min", "object",
        "open", "print", "range", "round", "set", "sorted", "str", "sum", "super", "tuple", "type", "zip",
    }
)  # fmt: skip


class Names:
    """The names of one generated file. A thing keeps the name that it got first; a taken name gets a number."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        """Keep `reserved`, the names that the file uses itself, from everything that the spec names."""
        self._taken = {*reserved, *BUILTINS}
        self._given: dict[str, str] = {}

    def of(self, thing: str, wanted: str) -> str:
        """Return the name of `thing`: `wanted` where it is free, else with the first number that is."""
        if thing not in self._given:
            number, name = 1, identifier(wanted)
            while name in self._taken:
                number += 1
                name = f"{wanted}_{number}"
            self._taken.add(name)
            self._given[thing] = name
        return self._given[thing]

    def constant(self, thing: str, wanted: str) -> str:
        """Return the name of `thing` as a constant of the module."""
        return self.of(thing, wanted.upper())

    def class_name(self, thing: str, wanted: str) -> str:
        """Return the name of `thing` as a class: `card_activity` is `CardActivity`."""
        return self.of(thing, "".join(part[:1].upper() + part[1:] for part in wanted.split("_")))

    def given(self) -> frozenset[str]:
        """Return the names given so far."""
        return frozenset(self._given.values())


def path_name(path: str) -> str:
    """Return an endpoint's path as a name: `/decide` is `decide`, `/2fa/check` is `endpoint_2fa_check`."""
    name = re.sub(r"[^a-z0-9]+", "_", path).strip("_")
    return name if name[:1].isalpha() else f"endpoint_{name}".rstrip("_")
