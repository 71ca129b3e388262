"""The lines of a training script that divide the examples."""

from datetime import datetime, timedelta

from mlsd_framework.codegen.python import Call, Imports, Item, Raw, emit, literal
from mlsd_framework.ir.models import GroupSplit, Model, StratifiedSplit, TimeSplit
from mlsd_framework.ir.system import System

_DAY = timedelta(days=1)


def split_lines(model: Model, system: System, imports: Imports) -> list[str]:
    """Return the lines that leave the parts in `parts`; `data` and, for a supervised model, `label` are there."""
    imports.add("mlsd_framework.runtime.training", "splits")
    split = model.split
    match split:
        case StratifiedSplit():
            call = Call("splits.stratified", (Raw("label"),), (*_shares(split), ("seed", split.seed)))
        case GroupSplit():
            call = Call(
                "splits.by_group",
                (Raw(f"data[{literal(split.group)}].to_numpy()"),),
                (*_shares(split), ("seed", split.seed)),
            )
        case TimeSplit():
            return [f"time = data[{literal(_time(system))}].to_physical().to_numpy()", *_by_time(split, imports)]
    return emit(Call("parts = " + call.name, call.positional, call.named)).split("\n")


def split_columns(model: Model, system: System) -> tuple[str, ...]:
    """Return the columns of the training set that the split reads."""
    match model.split:
        case TimeSplit(exclude_known=known):
            return (_time(system), *known)
        case GroupSplit(group=group):
            return (group,)
    return ()


def _by_time(split: TimeSplit, imports: Imports) -> list[str]:
    if split.start is None:
        imports.add("datetime", "timedelta")
        return emit(Call("parts = splits.by_time", (Raw("time"),), (*_shares(split), ("gap", split.gap)))).split("\n")
    imports.add("datetime", "date")
    start = datetime.fromisoformat(split.start)
    named: tuple[tuple[str, Item], ...] = (
        ("start", Raw(f"date({start.year}, {start.month}, {start.day})")),
        ("train_days", _days(split.train)),
        ("gap_days", _days(split.gap)),
        ("test_days", _days(split.test)),
        ("validate_days", _days(split.validate)),
    )
    if split.exclude_known:
        named += (
            ("exclude_known_positives", Raw(f"data[{literal(split.exclude_known[0])}].to_numpy()")),
            ("label", Raw("label")),
        )
    return emit(Call("parts = splits.by_dates", (Raw("time"),), named)).split("\n")


def _days(length: float | timedelta) -> int:
    return round(length / _DAY) if isinstance(length, timedelta) else 0


def _shares(split: TimeSplit | GroupSplit | StratifiedSplit) -> tuple[tuple[str, Item], ...]:
    shares = {"train": split.train, "validate": split.validate, "test": split.test}
    return tuple((name, round(share, 6)) for name, share in shares.items() if isinstance(share, float))


def _time(system: System) -> str:
    examples = system.examples
    if examples is None or examples.event_time is None:
        raise LookupError(system.name)
    return examples.event_time
