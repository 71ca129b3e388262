"""The lines that tell for which candidates conditions hold."""

from collections.abc import Sequence

from mlsd_framework.codegen.expressions_polars import dtype_of, to_polars
from mlsd_framework.codegen.python import Call, Mapping, Raw, assigned
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.serving import Stage, Value


def conditions(
    stage: Stage, reads: Sequence[Value], asked: Sequence[Expression], code: RowCode
) -> tuple[list[str], list[str]]:
    """Return the lines that make a frame of what is read, and the source of each condition: a mask of [rows]."""
    if not asked:
        return [], []
    code.imports.add(f"{RUNTIME}.retrieval.frames", "frame_of", "holds")
    columns = Mapping(tuple((value.dotted, (Raw(code.value(value)), Raw(_dtype(value, code)))) for value in reads))
    rows = code.name(f"rows of {stage.name}", "rows")
    masks = []
    for one in asked:
        source = to_polars(one, lambda column: column.path)
        code.imports.add_lines(source.imports)
        masks.append(f"holds({rows}, {source.text})")
    return assigned(rows, Call("frame_of", (Raw("candidates"), columns)), code.depth), masks


def _dtype(value: Value, code: RowCode) -> str:
    code.imports.add("polars as pl")
    return dtype_of(value.type)
