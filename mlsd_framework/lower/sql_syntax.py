"""The grammar of expressions: sqlglot's parser, held to the few words and signs that the language has."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser
from sqlglot.tokens import Token, Tokenizer, TokenType

LONGEST = 10_000
DEEPEST = 100
_FRAMES = 40 * DEEPEST
"""Python frames that sqlglot may stack: about twenty a bracket."""

_WORDS = (
    "AND OR NOT CASE WHEN THEN ELSE END IN BETWEEN LIKE ILIKE IS NULL TRUE FALSE INTERVAL ESCAPE TIMESTAMP DATE"
).split()
_SIGNS = {
    "::": TokenType.DCOLON,
    "||": TokenType.DPIPE,
    ">=": TokenType.GTE,
    "<=": TokenType.LTE,
    "<>": TokenType.NEQ,
    "!=": TokenType.NEQ,
}
_ALLOWED = {
    *(TokenType[word] for word in _WORDS),
    *_SIGNS.values(),
    *(
        TokenType[name]
        for name in "L_PAREN R_PAREN COMMA DOT DASH PLUS STAR SLASH MOD EQ LT GT NUMBER STRING VAR ALIAS".split()
    ),
}
_OPENERS = {TokenType.L_PAREN, TokenType.CASE}
_CLOSERS = {TokenType.R_PAREN, TokenType.END}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS}
_REFUSED_WORDS = {
    "select": "a query",
    "over": "a window",
    "distinct": "an aggregate",
    "from": "a query",
    "exists": "a query",
    "collate": "a collation",
}
_HELP = {
    '"': "text goes in single quotes: 'FI'",
    "`": "names are written bare, and text in single quotes",
    "{": "nothing is filled in: an expression is not a template",
    "[": "there are no arrays in an expression",
    ";": "write one expression",
    "!": "write `not x`, or `<>` for unequal",
    "^": "write `power(x, y)`",
    "?": "a cast gives null by itself where it fails: leave the `?` out",
    ":": "there are no parameters: name the column",
    "$": "there are no parameters: name the column",
    "@": "there are no parameters: name the column",
    "&": "write `and`",
    "|": "write `or`, or `||` to join text",
}


def _literal(node: Callable[[], exp.Expr]) -> Callable[[Parser, Token], exp.Expr]:
    return lambda _, token: node().update_positions(token)


class ExpressionSql(Dialect):
    """A dialect with scalar syntax only: every function is a call by name, every type a name."""

    class Tokenizer(Tokenizer):
        """Keep the language's words; all others are plain names."""

        KEYWORDS: ClassVar = {**_SIGNS, **{word: TokenType[word] for word in _WORDS}, "AS": TokenType.ALIAS}
        COMMENTS: ClassVar = []

    class Parser(Parser):
        """Keep `cast`, `try_cast` and `case`; leave other names to the language's own table."""

        FUNCTIONS: ClassVar = {}
        FUNCTION_PARSERS: ClassVar = {
            "CAST": lambda self: self._parse_cast(strict=True),
            "TRY_CAST": lambda self: self._parse_cast(strict=False, safe=True),
        }
        NO_PAREN_FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {"CASE": lambda self: self._parse_case()}
        PRIMARY_PARSERS: ClassVar = {
            **Parser.PRIMARY_PARSERS,
            TokenType.NULL: _literal(exp.Null),
            TokenType.TRUE: _literal(lambda: exp.Boolean(this=True)),
            TokenType.FALSE: _literal(lambda: exp.Boolean(this=False)),
        }


_DIALECT = ExpressionSql()


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """Why a text is no expression, with the offsets of the words at fault (end exclusive)."""

    code: str
    what: str
    start: int
    end: int
    help: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree of sqlglot's, and the tokens it was made from."""

    tree: exp.Expr
    tokens: list[Token]


def parse(text: str) -> Parsed | SyntaxFault:
    """Parse one scalar expression, or say what is wrong and where."""
    if len(text) > LONGEST:
        return SyntaxFault("E2057", f"the expression has {len(text):,} characters", 0, len(text))
    if not text.strip():
        return SyntaxFault("E2050", "the expression is empty", 0, len(text))
    try:
        tokens = _DIALECT.tokenize(text)
    except TokenError:
        start = max(text.rfind("'"), 0)
        return SyntaxFault("E2050", "a quote is opened and never closed", start, start + 1)
    fault = _refused_token(tokens) or _too_deep(tokens)
    return fault or _tree(text, tokens)


def _tree(text: str, tokens: list[Token]) -> Parsed | SyntaxFault:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _FRAMES))
    try:
        found = _DIALECT.parser().parse_into(exp.Condition, tokens, text)
    except ParseError as error:
        return _syntax_fault(error, tokens)
    finally:
        sys.setrecursionlimit(limit)
    tree = found[0] if len(found) == 1 else None
    if tree is None:
        return SyntaxFault("E2050", "the expression is not complete", 0, len(text))
    return _deep_tree(tree, text) or Parsed(tree, tokens)


def _refused_token(tokens: list[Token]) -> SyntaxFault | None:
    for before, token in zip([None, *tokens], tokens, strict=False):
        pair = (before.token_type if before else None, token.token_type)
        if before is not None and pair == (TokenType.EQ, TokenType.EQ):
            return SyntaxFault(
                "E2050", "`==` is not an operator", before.start, token.end + 1, "equality is a single `=`"
            )
        if pair == (TokenType.STRING, TokenType.STRING):
            return SyntaxFault("E2050", "two texts stand side by side", token.start, token.end + 1, "join text with `||`")
        foreign = token.token_type is TokenType.VAR and token.text[0] in "$@#"
        shout = token.token_type is TokenType.NOT and token.text == "!"
        if token.token_type not in _ALLOWED or foreign or shout:
            sign = '"' if token.token_type is TokenType.IDENTIFIER else token.text
            return SyntaxFault(
                "E2050", f"`{sign}` has no meaning in an expression", token.start, token.end + 1, _HELP.get(sign[:1])
            )
    return None


def _too_deep(tokens: list[Token]) -> SyntaxFault | None:
    """Refuse what would make a recursive parser stack too deep, before it does."""
    depth = run = 0
    for token in tokens:
        kind = token.token_type
        run = run + 1 if kind in _PREFIXES else 0
        depth += (kind in _OPENERS) - (kind in _CLOSERS)
        if depth + run > DEEPEST:
            return SyntaxFault("E2057", f"the expression is nested more than {DEEPEST} deep", token.start, token.end + 1)
    return None


def _deep_tree(tree: exp.Expr, text: str) -> SyntaxFault | None:
    level = [tree]
    for _ in range(2 * DEEPEST):
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return None
    return SyntaxFault("E2057", f"the expression is nested more than {DEEPEST} deep", 0, len(text))


def _syntax_fault(error: ParseError, tokens: list[Token]) -> SyntaxFault:
    """Turn sqlglot's complaint about a token into ours, at the same token."""
    details = error.errors[0] if error.errors else {}
    highlight, line, end = details.get("highlight"), details.get("line"), details.get("col")
    at = next((t for t in tokens if t.line == line and t.col == end and t.text == highlight), tokens[-1])
    for token in tokens:
        if (word := token.text.lower()) in _REFUSED_WORDS and token.token_type is TokenType.VAR:
            what = f"`{word}` begins {_REFUSED_WORDS[word]}, which an expression cannot hold"
            return SyntaxFault("E2056", what, token.start, token.end + 1)
    after = tokens[tokens.index(at) + 1] if at is not tokens[-1] else None
    description = str(details.get("description", ""))
    if description.startswith("Required keyword"):
        return SyntaxFault("E2050", f"an operand is missing at `{at.text}`", at.start, at.end + 1)
    if description.startswith("Expecting )"):
        if after is None:
            return SyntaxFault("E2050", "a bracket is opened and never closed", at.start, at.end + 1)
        return SyntaxFault("E2050", f"`{after.text}` is not expected here", after.start, after.end + 1)
    if "END" in description:
        return SyntaxFault("E2050", "`case` has no `end`", at.start, at.end + 1)
    return SyntaxFault("E2050", f"`{at.text}` is not expected here", at.start, at.end + 1)
