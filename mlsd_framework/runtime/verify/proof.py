"""A proof: what was compared, planted and exercised, with what came of it, and of what it is a proof."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.verify.coverage import FeatureCoverage
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.parity import Difference, GroupParity

_TOLD = 3


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a system keeps its promises; `fingerprints` say for which features, runtime and data."""

    system: str
    when: str
    seconds: float
    rows: int
    fingerprints: dict[str, str]
    parity: list[GroupParity] = field(default_factory=list)
    leakage: Leakage | None = None
    coverage: list[FeatureCoverage] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every part holds."""
        return not self.faults()

    def faults(self) -> list[Diagnostic]:
        """Return what does not hold, one fault a part with its first findings."""
        found = []
        differing = [one for one in self.parity if not one.holds]
        if differing:
            found.append(_differs(differing))
        if self.leakage is not None and not self.leakage.holds:
            found.append(_leaks(self.leakage))
        uncovered = [one for one in self.coverage if one.missing]
        if uncovered:
            found.append(_uncovered(uncovered))
        return found

    def data(self) -> dict[str, Any]:
        """Return the proof as values that JSON has."""
        said = asdict(self)
        for group, one in zip(said["parity"], self.parity, strict=True):
            group["holds"] = one.holds
        for feature, cover in zip(said["coverage"], self.coverage, strict=True):
            feature["missing"] = cover.missing
        if self.leakage is not None:
            said["leakage"]["holds"] = self.leakage.holds
        found: dict[str, Any] = _jsonable({"mlsd": 1, "holds": self.holds, **said})
        return found

    def summary(self) -> str:
        """Say in one line what was proved."""
        values, homes = sum(one.values for one in self.parity), {home for one in self.parity for home in one.homes}
        parts = [f"{values:,} values in {len(homes)} homes"] if self.parity else []
        if self.leakage is not None and self.leakage.rows:
            plants = sum(one.rows for one in self.leakage.plants)
            parts.append(f"{self.leakage.rows:,} rows against {plants:,} plants")
        parts.append(f"{len(self.coverage)} features exercised")
        return f"{'proved' if self.holds else 'not proved'}: {', '.join(parts)}"


def write(path: Path, proof: Proof) -> None:
    """Write the proof; a kill leaves the old one or the new one."""
    atomic.write_text(path, json.dumps(proof.data(), indent=1, sort_keys=True, allow_nan=False) + "\n")


def _differs(groups: list[GroupParity]) -> Diagnostic:
    first = [one for group in groups for one in group.differences[:_TOLD]]
    number = sum(group.differing for group in groups)
    names = list(dict.fromkeys(one.feature for one in first))
    return Diagnostic(
        code="E6701",
        what=f"{number:,} values differ between homes, of `{'`, `'.join(names[:_TOLD])}`",
        expected="one value in every home: equal, floats to 1e-9",
        help="`mlsd explain E6701`; the report has every difference",
        notes=tuple(_said(one) for one in first[: 2 * _TOLD]),
    )


def _said(one: Difference) -> str:
    values = ", ".join(f"{home}: {value!r}" for home, value in one.values.items())
    entity = ", ".join(f"{name}={value!r}" for name, value in one.entity.items())
    return f"`{one.feature}` of {entity} at {one.moment} ({one.case}): {values}"


def _leaks(found: Leakage) -> Diagnostic:
    columns = "`, `".join(list(dict.fromkeys(one.column for one in found.leaks))[:_TOLD])
    later, after, expected = (
        ("held out", "of {}", "examples that do not depend on anything that is held out of what is known")
        if found.held_out
        else ("known later", "from {} on", "rows before a moment that do not depend on anything after it")
    )
    return Diagnostic(
        code="E6702",
        what=f"{found.leaking:,} values of the training set change with what is {later}, of `{columns}`",
        expected=expected,
        help="`mlsd explain E6702`; the report has every change",
        notes=tuple(
            f"`{one.column}` of {', '.join(f'{k}={v}' for k, v in one.row.items())} at {one.moment}: {one.before!r}, "
            f"and {one.after!r} after changes {after.format(one.cut)}"
            for one in found.leaks[: 2 * _TOLD]
        ),
    )


def _uncovered(found: list[FeatureCoverage]) -> Diagnostic:
    return Diagnostic(
        code="E6703",
        what=f"{len(found)} features were not exercised in every case, such as `{found[0].feature}`",
        expected="every case that a feature can meet",
        help="prove with more `--rows`, or with a longer log",
        notes=tuple(f"`{one.feature}`: {', '.join(one.missing)}" for one in found[: 2 * _TOLD]),
    )


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {str(name): _jsonable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
