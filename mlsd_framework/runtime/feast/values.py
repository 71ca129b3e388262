"""Feast's values and packed values: which packed type holds which of Feast's types, and the way there and back.

Arrays and sets become lists, JSON, UUIDs and decimals text; what has no packed type of its own (maps, structs, nested
arrays, times with a zone) is kept as the bytes of Feast's message. Feast's times are seconds, packed ones microseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from feast import FeatureView
from feast.protos.feast.types import Value_pb2
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.types import FeastType
from feast.value_type import ValueType

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, Scalar, Value
from mlsd_framework.runtime.features.packed import EARLIEST, RowLayout
from mlsd_framework.runtime.features.windows import FeatureColumn

_SCALARS: dict[str, tuple[Dtype, str]] = {
    "BYTES": ("bytes", "bytes"),
    "PDF_BYTES": ("bytes", "bytes"),
    "IMAGE_BYTES": ("bytes", "bytes"),
    "STRING": ("string", "string"),
    "JSON": ("string", "json"),
    "UUID": ("string", "uuid"),
    "TIME_UUID": ("string", "time_uuid"),
    "DECIMAL": ("string", "decimal"),
    "INT32": ("int32", "int32"),
    "INT64": ("int64", "int64"),
    "DOUBLE": ("float64", "double"),
    "FLOAT": ("float32", "float"),
    "BOOL": ("bool", "bool"),
    "UNIX_TIMESTAMP": ("timestamp", "unix_timestamp"),
}
_SECOND = 1_000_000
_LARGEST = 2**63 // _SECOND
_NO_TIME = EARLIEST  # Feast's null among times


@dataclass(frozen=True, slots=True)
class Form:
    """How the values of one of Feast's types are packed: the type, and both directions."""

    dtype: Dtype
    pack: Callable[[ValueProto], Value]
    unpack: Callable[[Value], ValueProto]


def form_of(dtype: FeastType) -> Form:
    """Return how values of a feature's type are packed."""
    return _FORMS.get(dtype.to_value_type(), _OPAQUE)


def layout_of(view: FeatureView, group: str | None = None) -> RowLayout:
    """Return the packed rows of a feature view: its features in order, its join keys in order.

    Feast learns the join keys' types when the view is applied; one that is not yet has no layout (E6202).
    """
    if len(view.entity_columns) != len(view.entities):
        raise RunError.of(
            "E6202",
            f"the feature view `{view.name}` does not know its join keys yet",
            help="apply it, or take it from the registry: `store.get_feature_view(name)`",
        )
    columns = tuple(FeatureColumn(field.name, form_of(field.dtype).dtype) for field in view.features)
    return RowLayout(group or view.name, columns, tuple(column.name for column in view.entity_columns))


def packed(view: FeatureView, feature: str, form: Form, value: ValueProto) -> Value:
    """Return a value as it is packed; one that is not of the feature's type is refused (E6210)."""
    try:
        return form.pack(value)
    except TypeError as error:
        raise RunError.of(
            "E6210",
            f"the feature `{feature}` of `{view.name}` gets a {value.WhichOneof('val')}",
            expected=form.dtype,
        ) from error
    except OverflowError as error:
        raise RunError.of("E6210", f"the feature `{feature}` of `{view.name}` gets {error}") from error


def python_value(value: ValueProto) -> Value:
    """Return the plain value that a key's message holds."""
    which = value.WhichOneof("val")
    return None if which is None or which == "null_val" else cast("Value", getattr(value, which))


def _scalar_form(dtype: Dtype, name: str) -> Form:
    field = f"{name}_val"

    def pack(value: ValueProto) -> Value:
        which = value.WhichOneof("val")
        if which == field:
            return cast("Value", getattr(value, field))
        if which is None or which == "null_val":
            return None
        return _converted(value, which, dtype)

    return Form(dtype, pack, lambda value: _message(field, value))


def _converted(value: ValueProto, which: str, dtype: Dtype) -> Value:
    # Numbers of one kind may come in a neighbour's field, as Feast's own stores keep whatever field is set.
    found = getattr(value, which)
    if dtype in ("float64", "float32") and which in ("double_val", "float_val", "int64_val", "int32_val"):
        return float(found)
    if dtype in ("int64", "int32") and which in ("int64_val", "int32_val"):
        return int(found)
    if dtype == "string" and isinstance(found, str):
        return found
    raise TypeError(which)


def _time_form() -> Form:
    def pack(value: ValueProto) -> Value:
        which = value.WhichOneof("val")
        if which == "unix_timestamp_val":
            return _microseconds(value.unix_timestamp_val)
        if which is None or which == "null_val":
            return None
        raise TypeError(which)

    def unpack(value: Value) -> ValueProto:
        return ValueProto() if value is None else ValueProto(unix_timestamp_val=cast("int", value) // _SECOND)

    return Form("timestamp", pack, unpack)


def _many_form(dtype: Dtype, name: str, kind: str) -> Form:
    field = f"{name}_{kind}_val"
    message = getattr(Value_pb2, type(getattr(ValueProto(), field)).__name__)
    times = dtype == "timestamp"

    def pack(value: ValueProto) -> Value:
        which = value.WhichOneof("val")
        if which == field:
            items = getattr(value, field).val
            return tuple(_microseconds(item) for item in items) if times else tuple(items)
        if which is None or which == "null_val":
            return None
        raise TypeError(which)

    def unpack(value: Value) -> ValueProto:
        if value is None:
            return ValueProto()
        items = cast("tuple[Scalar, ...]", value)
        if times:
            items = tuple(_NO_TIME if item is None else cast("int", item) // _SECOND for item in items)
        return _message(field, message(val=items))

    return Form(cast("Dtype", f"list<{dtype}>"), pack, unpack)


def _message(field: str, content: object) -> ValueProto:
    return ValueProto() if content is None else ValueProto(**{field: content})  # type: ignore[arg-type] # the field's own


def _microseconds(seconds: int) -> int | None:
    if seconds == _NO_TIME:
        return None
    if not -_LARGEST < seconds < _LARGEST:
        raise OverflowError(f"a time {seconds} seconds from 1970")
    return seconds * _SECOND


def _pack_opaque(value: ValueProto) -> Value:
    which = value.WhichOneof("val")
    return None if which is None or which == "null_val" else bytes(value.SerializeToString(deterministic=True))


def _unpack_opaque(value: Value) -> ValueProto:
    return ValueProto() if value is None else ValueProto.FromString(cast("bytes", value))


_OPAQUE = Form("bytes", _pack_opaque, _unpack_opaque)
_FORMS: dict[ValueType, Form] = {}
for _name, (_dtype, _field) in _SCALARS.items():
    _FORMS[ValueType[_name]] = _time_form() if _dtype == "timestamp" else _scalar_form(_dtype, _field)
    for _kind in ("list", "set"):
        if f"{_name}_{_kind.upper()}" in ValueType.__members__:
            _FORMS[ValueType[f"{_name}_{_kind.upper()}"]] = _many_form(_dtype, _field, _kind)
