"""Text to Python's syntax tree, within bounds; nothing is run, and what the language lacks is refused before typing."""

import ast
import re
from typing import Final

from fraud.controls.language.nodes import InvalidRule

MAX_TEXT: Final = 4000
MAX_NODES: Final = 300
MAX_DEPTH: Final = 24
MAX_BRACKETS: Final = 24
MAX_LITERAL: Final = 256

_TEXTS: Final = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'')
_OUTSIDE: Final = re.compile(r"[A-Za-z0-9_\s.,()\[\]<>=!+\-*/]*")
"""What may stand outside of quotes: no colon, brace, comment, or letter that only looks like another."""
_OPERATORS: Final = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)
_REFUSED: Final = {
    ast.Attribute: "a dot after a name",
    ast.Subscript: "[…] after a name",
    ast.Lambda: "lambda",
    ast.IfExp: "if … else",
    ast.ListComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.Starred: "*",
    ast.Await: "await",
}


def parse(text: str) -> ast.expr:
    """The tree of an expression.

    Raises:
        InvalidRule: it is too large, too deep, or no expression.
    """
    if len(text) > MAX_TEXT:
        raise InvalidRule(f"the rule has {len(text)} characters; at most {MAX_TEXT} are read")
    _check_characters(text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise InvalidRule(f"at {error.offset or 1}: no expression: {error.msg.splitlines()[0]}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidRule(f"no expression: {type(error).__name__}") from None
    _check_size(tree)
    return tree


def place(node: ast.expr) -> str:
    """Where a part begins, as errors say it."""
    line = f"line {node.lineno}, " if node.lineno > 1 else ""
    return f"{line}at {node.col_offset + 1}"


def _check_characters(text: str) -> None:
    outside = _TEXTS.sub(lambda found: " " * len(found[0]), text)
    allowed = _OUTSIDE.match(outside)
    end = allowed.end() if allowed else 0
    if end < len(outside):
        character = outside[end]
        hint = {"&": "write and", "|": "write or", "#": "rules have no comments"}.get(character, "not in the language")
        raise InvalidRule(f"at {end + 1}: character {character!a}: {hint}")
    if "\\" in text or not all(c.isprintable() or c == "\n" for c in text):
        raise InvalidRule("texts hold neither backslashes nor characters that cannot be seen")
    depth = deepest = 0
    for character in outside:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    if deepest > MAX_BRACKETS:
        raise InvalidRule(f"brackets are nested {deepest} deep; at most {MAX_BRACKETS} are read")


def _check_size(tree: ast.expr) -> None:
    """Without recursion: the depth is what is asked."""
    level: list[ast.AST] = [tree]
    nodes = depth = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            raise InvalidRule(f"the rule is nested deeper than {MAX_DEPTH} levels: split it into several")
        if nodes > MAX_NODES:
            raise InvalidRule(f"the rule has more than {MAX_NODES} parts: split it, or use a list")
        level = [child for node in level for child in _children(node)]


def _children(node: ast.AST) -> list[ast.AST]:
    for refused, said in _REFUSED.items():
        if isinstance(node, refused) and isinstance(node, ast.expr):
            raise InvalidRule(f"{place(node)}: {said} is not in the language")
    return [child for child in ast.iter_child_nodes(node) if not isinstance(child, _OPERATORS)]
