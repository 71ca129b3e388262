"""What a compiled spec asks for: its stages with the meaning that each depends on, and its contract with callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlsd_framework.plan import stages
from mlsd_framework.plan.digest import digest
from mlsd_framework.plan.stages import Stage

Contract = Mapping[str, Mapping[str, str]]
"""The columns of each endpoint's request and their types, as the spec writes them."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A system's stages in order. `local` holds the paths and globs of sources that lie in the project."""

    system: str
    spec: str
    environment: str
    stages: tuple[Stage, ...]
    local: Mapping[str, tuple[str, ...]]
    contract: Contract

    @property
    def fingerprint(self) -> str:
        """Return a fingerprint of all that the spec asks for."""
        return digest(self.system, [stages.to_data(one) for one in self.stages])

    def stage(self, name: str) -> Stage | None:
        """Return the stage `name`, or none."""
        return next((one for one in self.stages if one.name == name), None)

    def data(self) -> dict[str, object]:
        """Return the blueprint as values that JSON has."""
        return {
            "system": self.system,
            "spec": self.spec,
            "environment": self.environment,
            "stages": [stages.to_data(one) for one in self.stages],
            "local": {name: list(paths) for name, paths in self.local.items()},
            "contract": {path: dict(columns) for path, columns in self.contract.items()},
        }


def from_data(data: Mapping[str, Any]) -> Blueprint:
    """Return the blueprint that `Blueprint.data` gave; raise `KeyError`, `TypeError` or `AttributeError` otherwise."""
    return Blueprint(
        system=data["system"],
        spec=data["spec"],
        environment=data["environment"],
        stages=tuple(stages.from_data(one) for one in data["stages"]),
        local={name: tuple(paths) for name, paths in data["local"].items()},
        contract={path: dict(columns) for path, columns in data["contract"].items()},
    )
