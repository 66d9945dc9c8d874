"""What rules read of a batch of payments, each column made when a rule first asks for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from fraud.contracts.fields import ENTITY_FIELDS, FIELDS, FieldType
from fraud.controls.language.columns import Bools, Float64s, Numbers, Texts
from fraud.controls.language.rule import RuleSet
from fraud.controls.language.vocabulary import Vocabulary
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import ENTITIES, INTEGERS, MISSING, Batch, Float32s, Int64s, UInt64s
from fraud.decoding.own_fields import OwnFields, text_of
from fraud.decoding.structs import TransactionEvent
from fraud.features.risk_tables import OWN
from fraud.money import MICRO, Rates

TEXTS: Final = frozenset(
    field.name
    for field in FIELDS
    if field.type in {FieldType.ID, FieldType.TOKEN, FieldType.TEXT, FieldType.CHOICE} and not field.of_outcomes
)
"""Fields of transactions that hold text."""

_HASHED: Final = {field: ENTITIES.index(entity) for entity, field in ENTITY_FIELDS.items() if entity != "card"}
"""Fields whose hashes the batch has. That of `card` may be of the fingerprint."""


class ListMembers(Protocol):
    """The lists that rules look in."""

    def members(self, name: str, texts: Texts, time_us: Int64s) -> Bools:
        """Which texts list `name` holds at the time of each; bool [n]. False of a list that nobody filled."""


def measures_of(rules: RuleSet, vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Sources of the measures that rules read, for `Encoder.ask`, in the order that `PaymentFacts` expects."""
    names = (vocabulary.get(name) for name in sorted(rules.names))
    return [name.source for name in names if name is not None and name.source is not None]


class PaymentFacts:
    """n payments as rules see them."""

    def __init__(
        self,
        batch: Batch,
        events: Callable[[], Sequence[TransactionEvent]],
        *,
        score: Float64s,
        model_action: npt.NDArray[np.uint8],
        asked: Mapping[tuple[str, str], Float32s],
        vocabulary: Vocabulary,
        fields: OwnFields,
        lists: ListMembers,
        rates: Rates,
    ) -> None:
        """Puts them together.

        Args:
            batch: columns of the payments.
            events: the same as they were decoded; asked only where a text is read, since they are made for it.
            score: float64 [n], NaN where the model gave none.
            model_action: uint8 [n], index into `ACTIONS`.
            asked: measure -> float32 [n], of all that the rules read.
            vocabulary: of the platform.
            fields: its own fields.
            lists: that rules look in.
            rates: of exchange.
        """
        self._batch, self._events = batch, events
        self._score, self._model_action = score, model_action
        self._asked, self._vocabulary, self._fields = asked, vocabulary, fields
        self._lists, self._rates = lists, rates
        self._texts: dict[str, Texts] = {}

    def __len__(self) -> int:
        return len(self._batch)

    def numbers(self, name: str) -> Numbers:
        """See `Facts`."""
        known = self._vocabulary.get(name)
        if known is not None and known.source is not None:
            return Numbers.read(self._asked[known.source].astype(np.float64))
        if name == "score":
            return Numbers.of(self._score)
        if name == "amount":
            return Numbers(self._batch.amount / MICRO, True)
        if name == "event_time":
            return Numbers(self._batch.time.astype(np.float64), True)
        if name.startswith(OWN):
            column = self._fields.values.index(name.removeprefix(OWN))
            return Numbers.read(self._batch.attributes[:, column].astype(np.float64))
        held = self._batch.integers[:, INTEGERS.index(name)]
        return Numbers.read(np.where(held == MISSING, np.nan, held))

    def texts(self, name: str) -> Texts:
        """See `Facts`."""
        if name not in self._texts:
            self._texts[name] = self._text(name)
        return self._texts[name]

    def hashes(self, field: str) -> UInt64s:
        """Of a field's texts, uint64 [n], for conditions; 0 where absent or no text.

        Raises:
            KeyError: the platform has no such field.
        """
        if field in TEXTS:
            return self.texts(field).hashes
        if field not in (*self._fields.values, *self._fields.entities):
            raise KeyError(field)
        values = ((event.attributes or {}).get(field) for event in self._events())
        return Texts([value if isinstance(value, str) else None for value in values]).hashes

    def in_list(self, name: str, held: str) -> Bools:
        """See `Facts`."""
        return self._lists.members(name, self.texts(held), self._batch.time)

    def rate(self, currency: str) -> Numbers:
        """See `Facts`."""
        ones = np.full(len(self), MICRO, np.int64)
        value, known = self._rates.convert(ones, [currency] * len(self), self._batch.time)
        return Numbers.of(np.where(known, value / MICRO, np.nan))

    def _text(self, name: str) -> Texts:
        if name == "model_action":
            return Texts([ACTIONS[action] for action in self._model_action.tolist()])
        if name.startswith(OWN):
            own = name.removeprefix(OWN)
            held = [(event.attributes or {}).get(own) for event in self._events()]
            return Texts([None if value is None else text_of(value) for value in held])
        hashes = self._batch.ids[:, _HASHED[name]] if name in _HASHED else None
        return Texts(lambda: [getattr(event, name) for event in self._events()], hashes)
