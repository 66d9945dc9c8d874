"""From Python's syntax tree to typed operations: every part has a type, or the rule is refused."""

import ast
from collections.abc import Callable, Sequence
from typing import Final

from fraud.controls.language.columns import Network
from fraud.controls.language.nodes import InvalidRule, Node, Type
from fraud.controls.language.syntax import MAX_LITERAL, place
from fraud.controls.language.vocabulary import Vocabulary
from fraud.timestamps import parse_time

MAX_NUMBER: Final = 1e15
OFFSET: Final = "tz_offset_min"
OWN: Final = "attribute_"
_COMPARISONS: Final = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_ARITHMETIC: Final = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_N, _M, _T = Type.NUMBER, Type.MONEY, Type.TIME
_RESULTS: Final = {
    **{(op, _N, _N): _N for op in "+-*/"},
    **{(op, _M, _M): _M for op in "+-"},
    ("*", _M, _N): _M,
    ("*", _N, _M): _M,
    ("/", _M, _N): _M,
    ("/", _M, _M): _N,
}
"""Type of what an operator makes of two types; times have `hours(later, earlier)`."""


class Checker:
    """Types one expression."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._made: dict[type, Callable[..., Node]] = {
            ast.BoolOp: self._joined,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._comparison,
            ast.Constant: _constant,
            ast.Name: self._written,
            ast.Call: self._call,
        }

    def check(self, tree: ast.expr) -> Node:
        """The typed tree of a condition.

        Raises:
            InvalidRule: a part has no meaning, or none here.
        """
        return self._typed(tree, Type.BOOL)

    def _typed(self, tree: ast.expr, *types: Type) -> Node:
        node = self._node(tree)
        if node.type not in types:
            wanted = " or ".join(types)
            raise InvalidRule(f"{place(tree)}: {_said(tree)} is {node.type}, where {wanted} is needed")
        return node

    def _node(self, tree: ast.expr) -> Node:
        made = self._made.get(type(tree))
        if made is None:
            raise InvalidRule(f"{place(tree)}: {_said(tree)} is not in the language")
        return made(tree)

    def _joined(self, tree: ast.BoolOp) -> Node:
        parts = tuple(self._typed(value, Type.BOOL) for value in tree.values)
        return Node("and" if isinstance(tree.op, ast.And) else "or", Type.BOOL, parts)

    def _written(self, tree: ast.Name) -> Node:
        if tree.id in {"true", "false"}:
            return Node("constant_bool", Type.BOOL, value=tree.id == "true")
        return self._name(tree, tree.id)

    def _name(self, tree: ast.expr, written: str) -> Node:
        name = self._vocabulary.get(written)
        if name is None:
            nearest = self._vocabulary.nearest(written)
            hint = f"; the nearest is {nearest}" if nearest else ""
            raise InvalidRule(f"{place(tree)}: there is no name {written[:64]}{hint}")
        operation = {Type.TEXT: "texts", Type.BOOL: "flag"}.get(name.type, "numbers")
        return Node(operation, name.type, value=written)

    def _unary(self, tree: ast.UnaryOp) -> Node:
        if isinstance(tree.op, ast.Not):
            return Node("not", Type.BOOL, (self._typed(tree.operand, Type.BOOL),))
        if isinstance(tree.op, ast.USub):
            operand = self._typed(tree.operand, _N, _M)
            if operand.operation == "constant" and isinstance(operand.value, float):
                return Node("constant", operand.type, value=-operand.value)
            return Node("negative", operand.type, (operand,))
        raise InvalidRule(f"{place(tree)}: this operator is not in the language; there are not and -")

    def _binary(self, tree: ast.BinOp) -> Node:
        operator = _ARITHMETIC.get(type(tree.op))
        if operator is None:
            raise InvalidRule(f"{place(tree)}: this operator is not in the language; there are + - * /")
        left, right = self._node(tree.left), self._node(tree.right)
        result = _RESULTS.get((operator, left.type, right.type))
        if result is None:
            raise InvalidRule(f"{place(tree)}: {left.type} {operator} {right.type} has no meaning")
        return Node(operator, result, (left, right))

    def _comparison(self, tree: ast.Compare) -> Node:
        sides = [tree.left, *tree.comparators]
        made = [self._pair(a, op, b) for a, op, b in zip(sides, tree.ops, sides[1:], strict=False)]
        return made[0] if len(made) == 1 else Node("and", Type.BOOL, tuple(made))

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Node:
        if isinstance(op, ast.In):
            return self._member(left, right)
        if isinstance(op, ast.NotIn):
            return Node("not", Type.BOOL, (self._member(left, right),))
        operator = _COMPARISONS.get(type(op))
        if operator is None:
            raise InvalidRule(f"{place(right)}: is is not in the language: write ==, or has(x)")
        parts = (self._node(left), self._node(right))
        types = {part.type for part in parts}
        if not (len(types) == 1 or types == {_N, _M}):
            raise InvalidRule(f"{place(left)}: {parts[0].type} {operator} {parts[1].type} cannot be compared")
        if operator in {"==", "!="}:
            same = Node("==", Type.BOOL, parts)
            return same if operator == "==" else Node("not", Type.BOOL, (same,))
        if types & {Type.TEXT, Type.BOOL}:
            raise InvalidRule(f"{place(left)}: {parts[0].type} has no order; there are == and in")
        return Node(operator, Type.BOOL, parts)

    def _member(self, left: ast.expr, right: ast.expr) -> Node:
        match right:
            case ast.Tuple() | ast.List() if right.elts:
                return self._among(left, right.elts)
            case ast.Call(func=ast.Name(id="list"), keywords=[]):
                held = self._typed(left, Type.TEXT)
                if held.operation != "texts":
                    raise InvalidRule(f"{place(left)}: in list takes a name, not what is made of one")
                (name,) = _texts(right, 1)
                return Node("in_list", Type.BOOL, (held,), (name, held.value))
            case ast.Call(func=ast.Name(id="cidr"), keywords=[]):
                return Node("in_networks", Type.BOOL, (self._typed(left, Type.TEXT),), _networks(right))
        raise InvalidRule(f'{place(right)}: in takes ("a", "b"), list("name") or cidr("10.0.0.0/8")')

    def _among(self, left: ast.expr, elements: Sequence[ast.expr]) -> Node:
        held = self._typed(left, Type.TEXT, Type.NUMBER, Type.MONEY)
        nodes = [self._node(element) for element in elements]
        wanted, operation = (
            ("constant_text", "among_texts") if held.type is Type.TEXT else ("constant", "among_numbers")
        )
        for node, element in zip(nodes, elements, strict=True):
            if node.operation != wanted:
                raise InvalidRule(f"{place(element)}: {_said(element)} is no constant {held.type}")
        return Node(operation, Type.BOOL, (held,), tuple(node.value for node in nodes))

    def _call(self, tree: ast.Call) -> Node:
        functions: dict[str, Callable[[ast.Call], Node]] = {
            "has": self._has,
            "money": self._money,
            "attribute": lambda call: self._name(call, OWN + _texts(call, 1)[0]),
            "startswith": self._starts,
            "lower": lambda call: Node("lower", Type.TEXT, (self._typed(_arguments(call, 1)[0], Type.TEXT),)),
            "abs": self._abs,
            "time": _time,
            "hour": lambda call: self._local("hour", call),
            "weekday": lambda call: self._local("weekday", call),
            "hours": self._hours,
        }
        made = functions.get(tree.func.id) if isinstance(tree.func, ast.Name) else None
        if made is None:
            known = ", ".join(functions)
            raise InvalidRule(f"{place(tree)}: {_said(tree.func)} is no function; there are {known}")
        return made(tree)

    def _has(self, call: ast.Call) -> Node:
        node = self._node(_arguments(call, 1)[0])
        if node.operation not in {"texts", "numbers", "flag"}:
            raise InvalidRule(f"{place(call)}: has takes a name")
        return Node("has", Type.BOOL, (node,))

    def _money(self, call: ast.Call) -> Node:
        units, code = _arguments(call, 2)
        node, currency = self._node(units), self._node(code)
        if node.operation != "constant" or currency.operation != "constant_text":
            raise InvalidRule(f'{place(call)}: money takes constants: money(12.5, "{self._vocabulary.base_currency}")')
        if currency.value == self._vocabulary.base_currency:
            return Node("constant", Type.MONEY, value=node.value)
        if currency.value not in self._vocabulary.currencies:
            raise InvalidRule(f"{place(code)}: there is no exchange rate for {str(currency.value)[:8]!r}")
        return Node("money", Type.MONEY, value=(node.value, currency.value))

    def _starts(self, call: ast.Call) -> Node:
        held, prefix = _arguments(call, 2)
        node = self._node(prefix)
        if node.operation != "constant_text":
            raise InvalidRule(f'{place(prefix)}: startswith takes a text in quotes: startswith(bin, "4111")')
        return Node("startswith", Type.BOOL, (self._typed(held, Type.TEXT),), node.value)

    def _abs(self, call: ast.Call) -> Node:
        node = self._typed(_arguments(call, 1)[0], _N, _M)
        return Node("abs", node.type, (node,))

    def _local(self, function: str, call: ast.Call) -> Node:
        time = self._typed(_arguments(call, 1)[0], _T)
        return Node(function, _N, (time, Node("numbers", _N, value=OFFSET)))

    def _hours(self, call: ast.Call) -> Node:
        later, earlier = (self._typed(argument, _T) for argument in _arguments(call, 2))
        return Node("hours", _N, (Node("-", _N, (later, earlier)),))


def _constant(tree: ast.Constant) -> Node:
    value = tree.value
    match value:
        case bool():
            return Node("constant_bool", Type.BOOL, value=value)
        case int() | float() if abs(value) <= MAX_NUMBER:
            return Node("constant", Type.NUMBER, value=float(value))
        case int() | float():
            raise InvalidRule(f"{place(tree)}: a number must be within {MAX_NUMBER:g}")
        case str() if 0 < len(value) <= MAX_LITERAL:
            return Node("constant_text", Type.TEXT, value=value)
        case str():
            raise InvalidRule(f"{place(tree)}: a text must have 1 to {MAX_LITERAL} characters")
    raise InvalidRule(f"{place(tree)}: {_said(tree)} is not in the language; has(x) asks whether x is there")


def _arguments(call: ast.Call, count: int) -> list[ast.expr]:
    if call.keywords or len(call.args) != count:
        raise InvalidRule(f"{place(call)}: {_said(call.func)} takes {count} argument{'s' * (count > 1)}")
    return call.args


def _texts(call: ast.Call, count: int) -> list[str]:
    values = [_constant(argument) if isinstance(argument, ast.Constant) else None for argument in call.args]
    texts = [str(node.value) for node in values if node is not None and node.type is Type.TEXT]
    if call.keywords or len(texts) != len(call.args) or not texts or (count and len(texts) != count):
        raise InvalidRule(f"{place(call)}: {_said(call.func)} takes {'a text' if count else 'texts'} in quotes")
    return texts


def _networks(call: ast.Call) -> tuple[Network, ...]:
    try:
        return tuple(Network.parse(text) for text in _texts(call, 0))
    except InvalidRule:
        raise
    except ValueError as error:
        raise InvalidRule(f"{place(call)}: {error}") from None


def _time(call: ast.Call) -> Node:
    (text,) = _texts(call, 1)
    try:
        return Node("constant", Type.TIME, value=float(parse_time(text)))
    except ValueError:
        raise InvalidRule(f'{place(call)}: time takes "2026-12-01T08:00:00Z", with the offset') from None


def _said(tree: ast.expr) -> str:
    """A part as it is written, cut short."""
    text = " ".join(ast.unparse(tree).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
