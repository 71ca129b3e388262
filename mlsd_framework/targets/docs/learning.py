"""The section on models: kind, inputs, split, gates, settings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.codegen.files import markdown
from mlsd_framework.ir.models import CandidateSplit, GroupSplit, Model, Split, StratifiedSplit, TimeSplit
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System
from mlsd_framework.targets.docs.words import NONE, Table, code, codes, duration, number, percent


@dataclass(frozen=True, slots=True)
class ModelSection:
    """One model: its name and a table of what is said of it."""

    name: str
    facts: Table


def model_sections(system: System) -> tuple[ModelSection, ...]:
    """Return one section a model."""
    return tuple(ModelSection(code(model.name), Table(("", ""), tuple(_facts(model)))) for model in system.models)


def _facts(model: Model) -> Iterator[tuple[str, str]]:
    if model.describe:
        yield "for", markdown(model.describe)
    yield "kind", code(model.kind)
    yield "learns", code(model.label) if model.label else "no label"
    yield "gives", ", ".join(f"{code(one.name)}, a {one.role}" for one in model.outputs)
    yield f"inputs ({len(model.features)})", codes([one.dotted for one in model.features])
    yield "split", _split(model.split)
    if model.calibration and model.calibration != "none":
        yield "calibration", code(model.calibration)
    if model.imbalance.sampling:
        ratio = f"{number(model.imbalance.ratio)} positives a negative"
        yield "sampling", f"{code(model.imbalance.sampling)}, {ratio}, training part only"
    if model.imbalance.class_weights:
        yield "class weights", _value(model.imbalance.class_weights)
    if model.tuning:
        yield "tuning", f"{model.tuning.trials} trials on {code(model.tuning.metric)}"
    yield "settings", settings(model.settings)
    yield "seed", str(model.seed)
    yield (
        "gates",
        ", ".join(markdown(gate.text) for gate in model.gates) or "none: every model is deployed",
    )


def settings(given: Iterable[tuple[str, SettingValue | timedelta]]) -> str:
    """Return the settings of a model's kind that are not left out."""
    return ", ".join(f"{code(name)} {_value(value)}" for name, value in given if value is not None) or NONE


def _split(split: Split) -> str:
    if isinstance(split, CandidateSplit):
        if split.held_out:
            return "the last of the label's folds is the validation, what is held out of all of them the test"
        return "the last of the label's moments is the test, the one before it the validation"
    shares = f"train {_share(split.train)}, validate {_share(split.validate)}, test {_share(split.test)}"
    match split:
        case TimeSplit(gap=gap):
            known = (
                f"; {codes(split.exclude_known)} known before a test day are left out of it"
                if split.exclude_known
                else ""
            )
            return f"by time: {shares}" + (f", {duration(gap)} left out between the parts" if gap else "") + known
        case GroupSplit(group=group):
            return f"by {code(group)}, no value in two parts: {shares}; seed {split.seed}"
        case StratifiedSplit(seed=seed):
            return f"stratified by the label: {shares}; seed {seed}"


def _share(value: float | timedelta) -> str:
    return duration(value) if isinstance(value, timedelta) else percent(value)


def _value(value: SettingValue | timedelta | tuple[tuple[str, float], ...]) -> str:
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(_value(one) for one in value) + ")"
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else markdown(str(value))
