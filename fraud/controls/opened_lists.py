"""Which lists let payments through: those that an allow rule asks to hold the payment's value."""

import ast
from collections.abc import Iterator
from typing import Final

DEEPEST: Final = 100
"""Levels of not, and, or: more than the language allows. A fixed number, so that every program folds alike."""


def opened_lists(when: str) -> frozenset[str]:
    """Names of the lists whose growth can make the expression true where it was false.

    `x in list("vip")` opens that list, `x not in list("stolen")` does not: an entry more makes it fire less. A list
    that is read in any other way (as one side of a comparison, say) counts as opened. What does not parse fires never.
    """
    try:
        return frozenset(_opened(ast.parse(when.strip(), mode="eval").body, grows=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()


def _opened(node: ast.AST, *, grows: bool, depth: int = 0) -> Iterator[str]:
    if depth > DEEPEST:
        raise ValueError("too deep")
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn() as operator], comparators=[ast.Call() as call]) if _name(call):
            if isinstance(operator, ast.In) == grows:
                yield _name(call)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _opened(operand, grows=not grows, depth=depth + 1)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _opened(value, grows=grows, depth=depth + 1)
        case _:
            yield from (_name(call) for call in ast.walk(node) if isinstance(call, ast.Call) and _name(call))


def _name(call: ast.Call) -> str:
    """The list's name in `list("name")`; "" of any other call."""
    match call:
        case ast.Call(func=ast.Name(id="list"), args=[ast.Constant(value=str(name))]):
            return name
    return ""
