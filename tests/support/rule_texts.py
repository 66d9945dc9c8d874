"""Random rules, each as this project writes it and as CEL does, with CEL's answer; and texts that would do harm.

What a payment lacks is a key that the map `e` lacks: an error in CEL, which `&&` and `||` swallow as rules do. A
division by zero is an error here and an infinity there, so the oracle's text asks first.
"""

from collections.abc import Mapping
from datetime import UTC
from random import Random

import celpy
from celpy import celtypes
from celpy.evaluation import CELEvalError

NUMBERS = ("score", "card_attempts_1h", "card_declines_1h", "device_cards_24h")
MONEY = ("amount", "card_spend_24h")
TEXTS = ("customer_id", "email_domain", "billing_country", "shipping_country")
FLAGS = ("is_guest", "is_digital")
WORDS = ("DE", "FR", "ann", "bob", "mail.example", "é😀")
LISTS = {"watched": frozenset({"ann", "DE", "é😀"}), "empty": frozenset[str]()}
_ENVIRONMENT = celpy.Environment()
_DEEPEST = 4


class RuleWriter:
    """Writes pairs of texts of one meaning."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def condition(self, depth: int = 0) -> tuple[str, str]:
        """A condition in both languages."""
        kinds = [self._comparison, self._text, self._flag, self._member, self._has, self._chain, self._hour]
        if depth < _DEEPEST:
            kinds += [lambda: self._joined(depth + 1)] * 5 + [lambda: self._not(depth + 1)] * 2
        return self._random.choice(kinds)()

    def number(self, depth: int = 0, *, money: bool = False) -> tuple[str, str]:
        """A number, or money."""
        if depth >= 2 or self._random.random() < 0.6:
            return self._plain(money=money)
        operator = self._random.choice("+-*/")
        if operator in "+-":
            left, right = (self.number(depth + 1, money=money) for _ in range(2))
        else:
            ratio = operator == "/" and not money and self._random.random() < 0.3
            left = self.number(depth + 1, money=money or ratio)
            right = self.number(depth + 1, money=ratio)
        ours = f"({left[0]} {operator} {right[0]})"
        if operator == "/":
            return ours, f"({right[1]} == 0.0 ? e.nothing : {left[1]} / {right[1]})"
        return ours, f"({left[1]} {operator} {right[1]})"

    def _plain(self, *, money: bool) -> tuple[str, str]:
        if self._random.random() < 0.7:
            name = self._random.choice(MONEY if money else NUMBERS)
            return name, f"e.{name}"
        value = self._random.choice((0, 1, 2, 3, 7, 0.5, 0.1, 12.25))
        return (f'money({value}, "EUR")' if money else str(value)), repr(float(value))

    def _comparison(self) -> tuple[str, str]:
        money = self._random.random() < 0.4
        left, right = self.number(money=money), self.number(money=money)
        operator = self._random.choice(("<", "<=", ">", ">=", "==", "!="))
        return f"{left[0]} {operator} {right[0]}", f"({left[1]} {operator} {right[1]})"

    def _chain(self) -> tuple[str, str]:
        parts = [self.number() for _ in range(3)]
        one, two = (self._random.choice(("<", "<=", ">")) for _ in range(2))
        ours = f"{parts[0][0]} {one} {parts[1][0]} {two} {parts[2][0]}"
        return ours, f"(({parts[0][1]} {one} {parts[1][1]}) && ({parts[1][1]} {two} {parts[2][1]}))"

    def _text(self) -> tuple[str, str]:
        name, word = self._random.choice(TEXTS), self._random.choice(WORDS)
        if self._random.random() < 0.3:
            return f'startswith({name}, "{word[:2]}")', f'e.{name}.startsWith("{word[:2]}")'
        operator = self._random.choice(("==", "!="))
        other = self._random.choice(TEXTS)
        if self._random.random() < 0.3:
            return f"{name} {operator} {other}", f"(e.{name} {operator} e.{other})"
        return f'{name} {operator} "{word}"', f'(e.{name} {operator} "{word}")'

    def _flag(self) -> tuple[str, str]:
        name, other = self._random.choice(FLAGS), self._random.choice(FLAGS)
        return self._random.choice(((name, f"e.{name}"), (f"{name} == {other}", f"(e.{name} == e.{other})")))

    def _member(self) -> tuple[str, str]:
        name = self._random.choice(TEXTS)
        negated = self._random.random() < 0.3
        if self._random.random() < 0.5:
            held = self._random.choice(sorted(LISTS))
            ours, theirs = f'list("{held}")', held
        else:
            words = self._random.choices(WORDS, k=self._random.choice((1, 2, 11)))
            ours = f"({_quoted(words)},)"
            theirs = f"[{_quoted(words)}]"
        return f"{name} {'not ' * negated}in {ours}", f"{'!' * negated}(e.{name} in {theirs})"

    def _has(self) -> tuple[str, str]:
        name = self._random.choice(NUMBERS + MONEY + TEXTS + FLAGS)
        return f"has({name})", f"has(e.{name})"

    def _hour(self) -> tuple[str, str]:
        hour = self._random.randrange(24)
        return f"hour(event_time) < {hour}", f"(e.event_time.getHours() < {hour})"

    def _joined(self, depth: int) -> tuple[str, str]:
        parts = [self.condition(depth) for _ in range(self._random.choice((2, 2, 3)))]
        ours, theirs = self._random.choice((("and", "&&"), ("or", "||")))
        return f"({f' {ours} '.join(p[0] for p in parts)})", f"({f' {theirs} '.join(p[1] for p in parts)})"

    def _not(self, depth: int) -> tuple[str, str]:
        ours, theirs = self.condition(depth)
        return f"not ({ours})", f"!({theirs})"


def _quoted(words: list[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def random_columns(random: Random, count: int) -> dict[str, list[object]]:
    """Columns of some payments, about a fifth of the values missing."""

    def column(values: tuple[object, ...]) -> list[object]:
        return [None if random.random() < 0.2 else random.choice(values) for _ in range(count)]

    return {
        **{name: column((0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 7.0)) for name in NUMBERS},
        **{name: column((0.0, 0.5, 12.25, 100.0)) for name in MONEY},
        **{name: column(WORDS) for name in TEXTS},
        **{name: column((False, True)) for name in FLAGS},
        "event_time": [random.randrange(1_700_000_000, 1_800_000_000) * 1_000_000 for _ in range(count)],
    }


def oracle(text: str, columns: Mapping[str, list[object]], row: int) -> bool | None:
    """CEL's answer for one payment; None where it is an error."""
    known = {name: _cel(name, values[row]) for name, values in columns.items() if values[row] is not None}
    held = {name: celtypes.ListType(map(celtypes.StringType, sorted(values))) for name, values in LISTS.items()}
    names = {celtypes.StringType(name): value for name, value in known.items()}
    try:
        return bool(_program(text).evaluate({"e": celtypes.MapType(names), **held}))
    except CELEvalError:
        return None


_programs: dict[str, celpy.Runner] = {}


def _program(text: str) -> celpy.Runner:
    if text not in _programs:
        _programs.clear()  # rows of one text come one after the other
        _programs[text] = _ENVIRONMENT.program(_ENVIRONMENT.compile(text))
    return _programs[text]


def _cel(name: str, value: object) -> celtypes.Value:
    if name == "event_time":
        return celtypes.TimestampType.fromtimestamp(int(str(value)) // 1_000_000, UTC)
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    return celtypes.DoubleType(value) if isinstance(value, float) else celtypes.StringType(str(value))


HOSTILE = (
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('touch /tmp/owned')",
    "amount.__class__",
    "getattr(amount, 'real')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "print(1)",
    "has(__builtins__)",
    "list(__import__('os'))",
    "__debug__",
    "9 ** 9 ** 9 ** 9 > 1",
    "9" * 3000 + " > 1",
    "1e999 > score",
    "1 << 99999999 > score",
    "'a' * 999999999 == customer_id",
    "score % 2 > 1",
    "score // 2 > 1",
    "score @ 2 > 1",
    "~score > 1",
    "lambda: true",
    "(x := true)",
    "[x for x in (1, 2)]",
    "{x for x in (1, 2)}",
    "any(x for x in (1, 2))",
    "f'{score}' == customer_id",
    "b'a' == customer_id",
    "customer_id == 'a' if true else 'b'",
    "score > 1; import os",
    "import os",
    "yield",
    "await score",
    "*score",
    "score[0] > 1",
    "has(*score)",
    "has(x=score)",
    "has(**score)",
    "... == score",
    "1j > score",
    "None",
    "ｓｃｏｒｅ > 1",
    "sсore > 1",
    "score\u200b > 1",
    "score > 1 \u202e and true",
    "score > １",
    "score > 1\x00",
    "customer_id == '\\N{BULLET}'",
    "customer_id == 'a\u202eb'",
    "true # and false",
    "(" * 200 + "true" + ")" * 200,
    "(" * 20 + "true" + ")" * 19,
    "not " * 900 + "true",
    "-" * 3900 + "1 > score",
    " and ".join(["true"] * 400),
    "score" + " < score" * 400,
    "true or " * 200_000 + "true",
    "customer_id in (" + "'a'," * 900 + ")",
    "customer_id == '" + "a" * 1000 + "'",
    "a" * 1_000_000,
    "",
    " ",
    "\n",
    "(",
    "'",
)
"""Each must be refused in one line, and run nothing."""
