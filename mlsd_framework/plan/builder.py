"""From what a spec asks for and what is done to a plan: one look at each stage, in order."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mlsd_framework.plan.blueprint import Blueprint, Contract
from mlsd_framework.plan.definition import Action, Plan
from mlsd_framework.plan.digest import digest
from mlsd_framework.plan.service_state import Running
from mlsd_framework.plan.stages import ORDER, Build, Evaluate, Serve, Stage, Verify
from mlsd_framework.plan.state import Record, State, stamps
from mlsd_framework.runtime.verify.fingerprints import runtime_fingerprint

_SHOWN = 4


class Builder:
    """Compares a blueprint with the state; afterwards `state` holds the digests of local files that it took."""

    def __init__(self, root: Path, blueprint: Blueprint, state: State, running: Running | None) -> None:
        """Take the project's folder, what is wanted, what is done, and the service that runs (none where none does)."""
        self.state = state
        self._root = root
        self._blueprint = blueprint
        self._running = running
        self._fingerprints: dict[str, str] = {}

    def plan(self, until: str | None = None, assignments: tuple[str, ...] = ()) -> Plan:
        """Return the plan of all stages, or of those up to the kind `until`."""
        wanted = list(self._blueprint.stages)
        if until is not None:
            wanted = [one for one in wanted if ORDER.index(one.kind) <= ORDER.index(until)]
        found = self.state.fingerprint
        actions: list[Action] = []
        unchanged: list[str] = []
        for stage in wanted:
            action = self._action(stage, actions)
            if action is None:
                unchanged.append(stage.name)
            else:
                actions.append(action)
        breaking = breaking_changes(self.state.contract, self._blueprint.contract) if until is None else ()
        blueprint = self._blueprint
        return Plan(
            blueprint.system, blueprint.spec, blueprint.environment, assignments,
            tuple(actions), tuple(unchanged), breaking, blueprint.fingerprint, found,
        )  # fmt: skip

    def parts(self, stage: Stage) -> dict[str, str]:
        """Return what a stage depends on, the content of local files among it."""
        found = dict(stage.parts)
        for source in stage.data:
            found[f"data of `sources.{source}`"] = self._digest(self._blueprint.local.get(source, ()))
        if isinstance(stage, Verify):
            found["mlsd's runtime"] = runtime_fingerprint()
        return found

    def fingerprint(self, stage: Stage) -> str:
        """Return the fingerprint of a stage: its parts, and the fingerprints of the stages that it follows."""
        if stage.name not in self._fingerprints:
            known = {one.name: one for one in self._blueprint.stages}
            after = [self.fingerprint(known[name]) for name in stage.after if name in known]
            self._fingerprints[stage.name] = digest(stage.name, self.parts(stage), after)
        return self._fingerprints[stage.name]

    def _action(self, stage: Stage, before: list[Action]) -> Action | None:
        record = self.state.stages.get(stage.name)
        wanted = self.fingerprint(stage)
        reasons = self._reasons(stage, record, wanted, before)
        if not reasons:
            return None
        seconds = record.seconds if record else None
        return Action(stage, wanted, stage.effect, tuple(reasons), seconds, record.said if record else "")

    def _reasons(self, stage: Stage, record: Record | None, wanted: str, before: list[Action]) -> list[str]:
        if isinstance(stage, Build):
            return self._to_build(stage)
        if isinstance(stage, Serve):
            return self._to_serve(stage, record, wanted, before)
        if record is None:
            return ["it was never done"] if not self.state.damaged else ["the record of what is done is damaged"]
        if record.fingerprint != wanted:
            return self._changes(stage, record, before)
        return self._damage(stage, record)

    def _changes(self, stage: Stage, record: Record, before: Iterable[Action]) -> list[str]:
        reasons = changes(record.parts, self.parts(stage))
        followed = [one.stage.name for one in before if one.stage.name in stage.after]
        if followed and isinstance(stage, Serve):  # then the code of the service differs by the version's fingerprint
            reasons = [one for one in reasons if not one.startswith("`generated ")]
        reasons += [f"it follows `{name}`" for name in followed]
        return reasons or ["what it follows has changed"]

    def _damage(self, stage: Stage, record: Record) -> list[str]:
        missing = [path for path in (*stage.outputs, *stage.present) if not (self._root / path).exists()]
        if missing:
            return [f"`{path}` is missing" for path in missing]
        found = stamps(self._root, record.outputs) or {}
        damaged = [path for path, stamp in record.outputs.items() if found.get(path) != tuple(stamp)]
        if not found and record.outputs:  # one of them is gone: say which
            damaged = [path for path in record.outputs if not (self._root / path).exists()]
        return [f"`{path}` is not as it was left" for path in damaged[:_SHOWN]]

    def _to_build(self, stage: Build) -> list[str]:
        folder = self._root / stage.folder
        differing = [path for path, wanted in stage.files if _sha256(folder / path) != wanted]
        if not (folder / "manifest.json").exists():
            return ["it was never done"]
        shown = [f"`{path}`" for path in differing if path != "manifest.json"][:_SHOWN] or ["`manifest.json`"]
        left = len(differing) - len(shown)
        return [f"{', '.join(shown)}{f' and {left} more' if left > 0 else ''} differ"] if differing else []

    def _to_serve(self, stage: Serve, record: Record | None, wanted: str, before: list[Action]) -> list[str]:
        if record is None:
            return ["it was never done"] if not self.state.damaged else ["the record of what is done is damaged"]
        running, evaluated = self._running, self.state.stages.get("evaluate")
        if running is None or not running.serves:
            lost = [f"the service is {running.state}" if running else "no service runs"]
            return lost if record.fingerprint == wanted else [*lost, *self._changes(stage, record, before)]
        if any(isinstance(one.stage, Evaluate) for one in before):
            changed = (
                self._changes(stage, record, before) if record.fingerprint != wanted else ["it follows `evaluate`"]
            )
        elif evaluated is not None and evaluated.version and evaluated.version != running.version:
            changed = [f"version `{running.version}` serves, `{evaluated.version}` is the newest"]
        else:
            changed = self._changes(stage, record, before) if record.fingerprint != wanted else []
        return changed

    def _digest(self, patterns: Iterable[str]) -> str:
        """Return a fingerprint of the content of local files; a file with the stamp of last time is not read again."""
        digests = dict(self.state.digests)
        listing = []
        for file in _matching(self._root, patterns):
            name = str(file.relative_to(self._root)) if file.is_relative_to(self._root) else str(file)
            stat = file.stat()
            known = digests.get(name)
            if known is None or known[:2] != (stat.st_size, stat.st_mtime_ns):
                known = digests[name] = (stat.st_size, stat.st_mtime_ns, _sha256(file) or "")
            listing.append((name, known[2]))
        self.state = replace(self.state, digests=digests)
        return digest(listing)


def changes(former: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Say which parts differ, with their values where these are short."""
    found = []
    for name in sorted({*former, *wanted}):
        old, new = former.get(name), wanted.get(name)
        if old == new or name == "spec":
            continue
        shown = f"`{name}`" if not name.startswith("data of") else f"the {name}"
        if old is None:
            found.append(f"{shown} is new")
        elif new is None:
            found.append(f"{shown} is gone")
        elif old.startswith("sha256:") or new.startswith("sha256:") or name.startswith("generated "):
            found.append(f"{shown} has changed")
        else:
            found.append(f"{shown} is {new}, was {old}")
    if len(found) > _SHOWN:
        found = [*found[:_SHOWN], f"{len(found) - _SHOWN} more parts have changed"]
    return found


def breaking_changes(former: Contract, wanted: Contract) -> tuple[str, ...]:
    """Say what callers of the deployed service rely on and would lose."""
    found = []
    for path, columns in sorted(former.items()):
        now = wanted.get(path)
        if now is None:
            found.append(f"endpoint `{path}` is removed")
            continue
        for column, type_ in sorted(columns.items()):
            if column not in now:
                found.append(f"`{path}` no longer takes `{column}`")
            elif now[column] == f"{type_}?":
                continue  # what was asked for may now be left out
            elif type_ == f"{now[column]}?":
                found.append(f"`{path}` requires `{column}`, which could be left out")
            elif now[column] != type_:
                found.append(f"`{path}` takes `{column}` as `{now[column]}`, not `{type_}`")
        required = sorted(column for column, type_ in now.items() if column not in columns and not type_.endswith("?"))
        found += [f"`{path}` requires `{column}`, which it did not ask for" for column in required]
    return tuple(found)


def _matching(root: Path, patterns: Iterable[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        place = root / pattern
        if any(char in pattern for char in "*?["):
            found += sorted(root.glob(pattern))
        elif place.is_dir():
            found += sorted(path for path in place.rglob("*") if path.is_file())
        elif place.exists():
            found.append(place)
    return [path for path in found if path.is_file()]


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
