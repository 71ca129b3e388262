"""How large an integer expression can get, so that code guards against overflow only where there can be one."""

from mlsd_framework.ir.expressions import Binary, Call, Case, Column, Expression, Literal, Unary

INT64_END = 2**63
_STORED = {
    "int8": 2**7,
    "int16": 2**15,
    "int32": 2**31,
    "int64": INT64_END,
    "timestamp": 2**58,  # the year 9999
    "duration": 2**59,  # between two of those
    "date": 2**22,
    "bool": 1,
}
_CALLS = {
    "second": 59,
    "minute": 59,
    "hour": 23,
    "day_of_week": 7,
    "day": 31,
    "day_of_year": 366,
    "month": 12,
    "year": 300_000,
    "sign": 1,
    "length": 2**40,
}


def may_overflow(node: Unary | Binary) -> bool:
    """Tell whether `+`, `-` or `*` of integers can leave int64."""
    return node.type.name == "int64" and _combined(node) >= INT64_END


def _bound(node: Expression) -> int:
    """Return a number that the magnitude never exceeds."""
    if isinstance(node, Literal):
        return abs(node.value) if isinstance(node.value, int) else 0
    if isinstance(node, Column):
        return _STORED.get(str(node.stored.name), INT64_END)
    if isinstance(node, Call):
        return _CALLS.get(node.function, INT64_END)
    if isinstance(node, Case):
        return max(_bound(node.otherwise), *(_bound(branch.value) for branch in node.branches))
    if isinstance(node, Unary | Binary):
        return min(_combined(node), INT64_END)
    return INT64_END


def _combined(node: Unary | Binary) -> int:
    if isinstance(node, Unary):
        return _bound(node.operand)
    left, right = _bound(node.left), _bound(node.right)
    return {"+": left + right, "-": left + right, "*": left * right, "%": right}.get(node.operator, INT64_END)
