"""What declarations of retrievers are written with: lengths of time in microseconds, and how histories are weighed."""

from datetime import timedelta

from mlsd_framework.codegen.python import Call, Imports, Item, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.spec.retrievers import FadingSpec

RETRIEVAL = "mlsd_framework.runtime.retrieval"
FILE = "source.safetensors"
"""Where a source of candidates that is one file lies in its model's folder."""

_UNITS = (("DAY", timedelta(days=1)), ("HOUR", timedelta(hours=1)), ("SECOND", timedelta(seconds=1)))
_MICROSECOND = timedelta(microseconds=1)


def microseconds(length: timedelta | None) -> int | None:
    """Return a length of time as settings hold it."""
    return round(length / _MICROSECOND) if length is not None else None


def length(value: SettingValue, imports: Imports) -> Item:
    """Return a setting that is a length of time as `7 * DAY`; none where it is not set."""
    if not isinstance(value, int):
        return None
    for name, unit in _UNITS:
        count, rest = divmod(value, round(unit / _MICROSECOND))
        if count and not rest:
            imports.add(f"{RETRIEVAL}.interactions", name)
            return Raw(f"{count} * {name}" if count > 1 else name)
    return value


def fading(spec: FadingSpec) -> tuple[tuple[str, SettingValue], ...]:
    """Return the settings of how histories are weighed."""
    return (("half_life", microseconds(spec.half_life)), ("repeats", spec.repeats))


def weighting(retriever: Retriever, imports: Imports) -> tuple[tuple[str, Item], ...]:
    """Return the argument that says how histories are weighed; nothing where they are not."""
    half_life, repeats = retriever.setting("half_life"), retriever.setting("repeats")
    if half_life is None and repeats == "once":
        return ()
    imports.add(f"{RETRIEVAL}.profile", "Weighting")
    named = given(half_life=length(half_life, imports), amount=str(repeats) if repeats != "once" else None)
    return (("weighting", Call("Weighting", (), named)),)


def vectors_call(embedding: str, imports: Imports) -> Call:
    """Return the call that makes vectors of words; a language model is kept in the workspace."""
    imports.add("mlsd_framework.runtime.text", embedding)
    folder = (Raw('WORKSPACE.pretrained("minilm")'),) if embedding == "minilm" else ()
    return Call(f"{embedding}.vectors", (Raw("words"), *folder))
