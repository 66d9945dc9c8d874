"""What rules and conditions read of a batch of payments."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from fraud.contracts.fields import FIELDS, FieldType
from fraud.controls.effects import Float64s, UInt8s
from fraud.decoding.batch import Batch
from fraud.decoding.structs import TransactionEvent

TEXTS: Final = frozenset(
    field.name
    for field in FIELDS
    if field.type in {FieldType.ID, FieldType.TOKEN, FieldType.TEXT, FieldType.CHOICE} and not field.of_outcomes
)
"""Fields of transactions that hold text."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """n payments.

    Attributes:
        batch: their columns.
        events: the same as they were decoded; asked only where a text is read, since they are made for it.
        score: float64 [n], NaN where the model gave none.
        model_action: uint8 [n], index into `ACTIONS`.
        own: names of the platform's own fields.
    """

    batch: Batch
    events: Callable[[], Sequence[TransactionEvent]]
    score: Float64s
    model_action: UInt8s
    own: Collection[str] = ()

    def text(self, field: str) -> Sequence[str | None]:
        """A field's values as they stand in the events, [n]; None where absent or no text.

        Raises:
            KeyError: the platform has no such field.
        """
        if field in TEXTS:
            return [getattr(event, field) for event in self.events()]
        if field not in self.own:
            raise KeyError(field)
        values = ((event.attributes or {}).get(field) for event in self.events())
        return [value if isinstance(value, str) else None for value in values]
