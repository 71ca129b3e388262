"""Breaking one long expression over lines as a formatter would; what it means cannot change."""

import ast
from collections.abc import Iterator

WIDTH = 120
INDENT = "    "


def layout(source: str, indent: int, before: int) -> str:
    """Return the expression `source` over as many lines as it needs.

    It begins `before` characters into a line that is `indent` levels deep; what follows it on its last line is
    counted in `before`. An operator that breaks stands inside brackets already, or is put there by the caller.
    """
    tree = ast.parse(source, mode="eval").body
    text = _Layout(source.encode()).broken(tree, indent, before)
    return text if ast.dump(ast.parse(f"({text})", mode="eval").body) == ast.dump(tree) else source


def operator(source: str) -> bool:
    """Say whether an expression breaks at an operator, so that it needs brackets to go over several lines."""
    tree = ast.parse(source, mode="eval").body
    return isinstance(tree, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp) or (
        isinstance(tree, ast.Call) and len(list(_dots(tree))) > 1
    )


class _Layout:
    def __init__(self, source: bytes) -> None:
        self.source = source

    def text(self, node: ast.expr) -> str:
        return self.source[node.col_offset : node.end_col_offset].decode()

    def bracketed(self, node: ast.expr) -> bool:
        end = node.end_col_offset or 0
        return self.source[node.col_offset - 1 : node.col_offset] == b"(" and self.source[end : end + 1] == b")"

    def broken(self, node: ast.expr, indent: int, before: int) -> str:  # noqa: PLR0911 - one a kind of node
        """Return a node, on one line where it fits."""
        text = self.text(node)
        if len(INDENT) * indent + before + len(text) <= WIDTH:
            return text
        match node:
            case ast.Call():
                return self.call(node, indent, before)
            case ast.BinOp() | ast.BoolOp() | ast.Compare():
                return self.operands(node, indent)
            case ast.IfExp():
                return "\n".join(
                    f"{INDENT * indent if index else ''}{part}" for index, part in enumerate(self.choice(node, indent))
                )
            case ast.UnaryOp():
                sign = text[: node.operand.col_offset - node.col_offset].rstrip("(")
                return sign + self.operand(node.operand, indent, before + len(sign))
            case ast.Tuple() | ast.List():
                rows = "".join(f"{INDENT * (indent + 1)}{self.argument(one, indent + 1, 1)},\n" for one in node.elts)
                return f"{text[0]}\n{rows}{INDENT * indent}{text[-1]}"
        return text

    def call(self, node: ast.Call, indent: int, before: int) -> str:
        dots = list(_dots(node))
        if len(dots) > 1:  # a chain of calls breaks at its dots
            _, first = dots[-1]
            parts = [self.broken(first.value, indent, before)]
            for call, method in reversed(dots):
                parts.append(f".{method.attr}{self.arguments(call, indent, len(method.attr) + 1)}")
            return f"\n{INDENT * indent}".join(parts)
        func = self.text(node.func)
        if dots and len(INDENT) * indent + before + len(func) + 1 > WIDTH:
            _, method = dots[0]
            return f"{self.broken(method.value, indent, before)}.{method.attr}{self.flat_arguments(node)}"
        return func + self.arguments(node, indent, before + len(func), must_break=True)

    def flat_arguments(self, node: ast.Call) -> str:
        return self.source[node.func.end_col_offset : node.end_col_offset].decode()

    def arguments(self, node: ast.Call, indent: int, before: int, *, must_break: bool = False) -> str:
        flat = self.flat_arguments(node)
        if not must_break and len(INDENT) * indent + before + len(flat) <= WIDTH:
            return flat
        pad, inner = INDENT * indent, INDENT * (indent + 1)
        if len(inner) + len(flat) - 2 <= WIDTH:
            return f"(\n{inner}{flat[1:-1]}\n{pad})"
        rows = [self.argument(one, indent + 1, 1) for one in node.args]
        rows += [f"{one.arg}={self.argument(one.value, indent + 1, len(one.arg or '') + 2)}" for one in node.keywords]
        return "(\n" + "".join(f"{inner}{row},\n" for row in rows) + f"{pad})"

    def argument(self, node: ast.expr, indent: int, before: int) -> str:
        found = self.broken(node, indent, before)
        if isinstance(node, ast.IfExp) and "\n" in found:
            return f"(\n{INDENT * (indent + 1)}{self.broken(node, indent + 1, 0)}\n{INDENT * indent})"
        return found

    def operands(self, node: ast.BinOp | ast.BoolOp | ast.Compare, indent: int) -> str:
        parts = list(self.flattened(node))
        lines = [f"{sign}{self.operand(one, indent, len(sign))}" for sign, one in parts]
        return f"\n{INDENT * indent}".join(lines)

    def flattened(self, node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        """Yield the operands of one precedence, each after its operator."""
        if isinstance(node, ast.BoolOp):
            sign = "and " if isinstance(node.op, ast.And) else "or "
            yield from ((sign if index else "", one) for index, one in enumerate(node.values))
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            yield from (
                (self.sign(operands[index - 1], one) if index else "", one) for index, one in enumerate(operands)
            )
        elif isinstance(node, ast.BinOp):
            same = (
                isinstance(node.left, ast.BinOp) and _binds(node.left) == _binds(node) and not self.bracketed(node.left)
            )
            yield from self.flattened(node.left) if same else [("", node.left)]
            yield self.sign(node.left, node.right), node.right

    def sign(self, left: ast.expr, right: ast.expr) -> str:
        return self.source[left.end_col_offset : right.col_offset].decode().strip(" ()") + " "

    def operand(self, node: ast.expr, indent: int, before: int) -> str:
        if not self.bracketed(node):
            return self.broken(node, indent, before)
        text = self.text(node)
        if len(INDENT) * indent + before + len(text) + 2 <= WIDTH:
            return f"({text})"
        return f"(\n{INDENT * (indent + 1)}{self.broken(node, indent + 1, 0)}\n{INDENT * indent})"

    def choice(self, node: ast.IfExp, indent: int) -> Iterator[str]:
        yield self.operand(node.body, indent, 0)
        yield f"if {self.operand(node.test, indent, 3)}"
        if isinstance(node.orelse, ast.IfExp) and not self.bracketed(node.orelse):
            first, *rest = self.choice(node.orelse, indent)
            yield f"else {first}"
            yield from rest
        else:
            yield f"else {self.operand(node.orelse, indent, 5)}"


def _dots(node: ast.expr) -> Iterator[tuple[ast.Call, ast.Attribute]]:
    """Yield the calls of a chain that stand on another call, each with its method, the last first."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        yield node, node.func
        node = node.func.value


def _binds(node: ast.BinOp) -> int:
    if isinstance(node.op, ast.Mult | ast.Div | ast.Mod | ast.FloorDiv):
        return 3
    return {ast.Add: 2, ast.Sub: 2, ast.BitAnd: 1}.get(type(node.op), 0)
