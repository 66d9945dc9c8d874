"""The names that rules may use, with type, meaning and an example."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from fraud.controls.language.nodes import Type

EXAMPLES: Final = {
    Type.NUMBER: "{name} >= 3",
    Type.MONEY: '{name} > money(100, "{currency}")',
    Type.BOOL: "{name}",
    Type.TEXT: '{name} in list("watched")',
    Type.TIME: "hour({name}) < 6",
}


@dataclass(frozen=True, slots=True)
class Name:
    """One name.

    Attributes:
        name: as rules write it; one that is no identifier is written `attribute("…")`.
        type: of its values.
        meaning: one line for a reader.
        source: where a measure of the history is read (entity, pair, `event` or `seen`; measure); None of others.
    """

    name: str
    type: Type
    meaning: str
    source: tuple[str, str] | None = None


class Vocabulary:
    """All names of a platform.

    Attributes:
        base_currency: of money without a currency.
        currencies: that there are exchange rates for.
    """

    def __init__(self, names: Iterable[Name], *, base_currency: str, currencies: Iterable[str] = ()) -> None:
        self._names = {name.name: name for name in names}
        self.base_currency = base_currency
        self.currencies = frozenset(currencies) | {base_currency}

    def __iter__(self) -> Iterator[Name]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def get(self, name: str) -> Name | None:
        """The name, if there is one."""
        return self._names.get(name)

    def nearest(self, name: str) -> str:
        """The most similar name, "" where none is similar."""
        return next(iter(get_close_matches(name, self._names, n=1, cutoff=0.6)), "")

    def example(self, name: Name) -> str:
        """A condition that uses the name."""
        written = name.name if name.name.isidentifier() else f'attribute("{name.name.removeprefix("attribute_")}")'
        return EXAMPLES[name.type].format(name=written, currency=self.base_currency)

    def table(self, containing: str = "") -> str:
        """Name, type, meaning and example of each name that holds a text, as lines for a terminal."""
        chosen = [name for name in self if containing in name.name]
        widest = max((len(name.name) for name in chosen), default=0)
        return "\n".join(f"{n.name:{widest}}  {n.type:6}  {n.meaning}; {self.example(n)}" for n in chosen)
