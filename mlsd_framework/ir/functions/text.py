"""Functions of text; positions count characters from 1."""

from mlsd_framework.ir.functions.definition import Function, Parameter, always
from mlsd_framework.ir.types import BOOL, INT64, STRING, DataType

_S = Parameter("s", "text")
_Examples = tuple[tuple[str, bool | float | str | None], ...]


def _text(name: str, doc: str, examples: _Examples, *more: Parameter, result: DataType = STRING) -> Function:
    return Function(
        name=name, group="text", parameters=(_S, *more), result=always(result), doc=doc, examples=examples
    )


FUNCTIONS = (
    _text("lower", "In lower case.", (("lower('ÅB')", "åb"),)),
    _text("upper", "In upper case.", (("upper('åb')", "ÅB"),)),
    _text("length", "The number of characters.", (("length('åb')", 2), ("length('')", 0)), result=INT64),
    _text("trim", "Without spaces at both ends.", (("trim('  a b ')", "a b"),)),
    _text("ltrim", "Without spaces at the start.", (("ltrim('  a ')", "a "),)),
    _text("rtrim", "Without spaces at the end.", (("rtrim(' a  ')", " a"),)),
    Function(
        name="substr",
        group="text",
        parameters=(_S, Parameter("start", "integer"), Parameter("count", "integer", optional=True)),
        result=always(STRING),
        nulls="possible",
        doc="`count` characters from `start`, or all of them; what lies outside is left out; null where `count` is negative.",
        examples=(
            ("substr('abcde', 2, 3)", "bcd"),
            ("substr('abc', 2)", "bc"),
            ("substr('abc', 0, 2)", "a"),
            ("substr('abc', 9, 2)", ""),
            ("substr('abc', 1, -1)", None),
        ),
    ),
    _text(
        "replace",
        "With every `old` replaced by `new`, both constants.",
        (("replace('a-b-c', '-', '')", "abc"), ("replace('a', '', 'x')", "a"), ("replace('a.b', '.', '$1')", "a$1b")),
        Parameter("old", "text", literal=True),
        Parameter("new", "text", literal=True),
    ),
    Function(
        name="concat",
        group="text",
        parameters=(_S,),
        repeats=True,
        result=always(STRING),
        nulls="never",
        doc="The arguments joined; nulls are passed over (`||` gives null instead).",
        examples=(("concat('a', null, 'b')", "ab"), ("concat('a')", "a")),
    ),
    _text(
        "starts_with",
        "Whether it begins with `part`.",
        (("starts_with('abc', 'ab')", True), ("starts_with('abc', 'b')", False)),
        Parameter("part", "text"),
        result=BOOL,
    ),
    _text(
        "ends_with",
        "Whether it ends with `part`.",
        (("ends_with('abc', 'bc')", True), ("ends_with('abc', 'b')", False)),
        Parameter("part", "text"),
        result=BOOL,
    ),
    _text(
        "contains",
        "Whether `part` occurs in it.",
        (("contains('a.c', '.')", True), ("contains('abc', '.')", False)),
        Parameter("part", "text"),
        result=BOOL,
    ),
    _text(
        "split_part",
        "The nth part between separators, from 1, both constants; empty where there are fewer.",
        (("split_part('a,b,c', ',', 2)", "b"), ("split_part('a', ',', 2)", "")),
        Parameter("separator", "text", literal=True, minimum=1),
        Parameter("n", "integer", literal=True, minimum=1),
    ),
)
