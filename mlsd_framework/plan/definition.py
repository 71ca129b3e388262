"""A plan: the stages that have something to do, why, what that costs, and what it was made from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan import stages
from mlsd_framework.plan.stages import EFFECTS, Effect, Stage
from mlsd_framework.runtime import atomic


@dataclass(frozen=True, slots=True)
class Action:
    """A stage that is to be done. `seconds` is what it took last time, none where it was never done."""

    stage: Stage
    fingerprint: str
    effect: Effect
    reasons: tuple[str, ...]
    seconds: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What brings a system to what its spec says.

    `wanted` and `found` are fingerprints of the spec's meaning and of the state that the plan was made from;
    `breaking` says which callers of the service would be refused.
    """

    system: str
    spec: str
    environment: str
    assignments: tuple[str, ...]
    actions: tuple[Action, ...]
    unchanged: tuple[str, ...]
    breaking: tuple[str, ...]
    wanted: str
    found: str

    @property
    def effect(self) -> Effect:
        """Return the heaviest effect."""
        effects = [one.effect for one in self.actions] + (["breaking"] if self.breaking else [])
        return max(effects, key=EFFECTS.index, default="nothing")

    def data(self) -> dict[str, object]:
        """Return the plan as values that JSON has."""
        return {
            "mlsd": 1,
            "system": self.system,
            "spec": self.spec,
            "environment": self.environment,
            "assignments": list(self.assignments),
            "effect": self.effect,
            "actions": [
                {
                    "stage": one.stage.name,
                    "effect": one.effect,
                    "reasons": list(one.reasons),
                    "seconds": one.seconds,
                    "fingerprint": one.fingerprint,
                    "definition": stages.to_data(one.stage),
                }
                for one in self.actions
            ],
            "unchanged": list(self.unchanged),
            "breaking": list(self.breaking),
            "wanted": self.wanted,
            "found": self.found,
        }


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a saved plan says of itself: enough to make it again and to see whether it is still the same."""

    spec: str
    environment: str
    assignments: tuple[str, ...]
    wanted: str
    found: str
    actions: Mapping[str, str]


def save(plan: Plan, path: Path) -> None:
    """Write a plan to a file."""
    atomic.write_text(path, json.dumps(plan.data(), indent=2, sort_keys=True) + "\n")


def load_saved(path: Path) -> SavedPlan:
    """Read a plan that `save` wrote; raise `PlanError` E5011 where the file holds none."""
    try:
        data = json.loads(path.read_bytes())
        return SavedPlan(
            spec=str(data["spec"]),
            environment=str(data["environment"]),
            assignments=tuple(str(one) for one in data["assignments"]),
            wanted=str(data["wanted"]),
            found=str(data["found"]),
            actions={str(one["stage"]): str(one["fingerprint"]) for one in data["actions"]},
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not what `mlsd plan --out` writes"
        error = RunError.of(
            "E5011", f"no plan can be read from `{path}`: {why}", help="make it with `mlsd plan SPEC --out FILE`"
        )
        raise PlanError(error.diagnostics) from fault


def check_same(saved: SavedPlan, plan: Plan, path: Path) -> None:
    """Refuse a saved plan (E5012) when the spec, or what is done, has changed since it was made."""
    changed = [
        *(["the spec"] if saved.wanted != plan.wanted else []),
        *(["what is done"] if saved.found != plan.found else []),
    ]
    now = {one.stage.name: one.fingerprint for one in plan.actions}
    if not changed and dict(saved.actions) == now:
        return
    what = " and ".join(changed) or "the data"
    differ = sorted(name for name in {*saved.actions, *now} if saved.actions.get(name) != now.get(name))
    error = RunError.of(
        "E5012",
        f"{what} has changed since the plan `{path}` was made",
        help="plan again, look, and apply the new plan",
        notes=[f"stage `{name}` differs" for name in differ],
    )
    raise PlanError(error.diagnostics)
