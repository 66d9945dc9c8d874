"""Raw messages -> a `Batch`: the hot path.

Nearly all messages are plain, and compiled code makes columns of them. Each of the others goes the slow road by itself,
which is the contract. Where the compiled reader takes a message, it yields what the slow road would, which a property
test holds it to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import Batch
from fraud.decoding.careful_reader import CarefulReader, Reject, read_event
from fraud.decoding.own_fields import NO_FIELDS, OwnFields
from fraud.decoding.plain_reader import TOLD_NAMES, PlainReader, PlainRows
from fraud.decoding.structs import Event
from fraud.money import Rates
from fraud.privacy.card_numbers import Token
from fraud.timestamps import within_range
from fraud.units import HOUR_US

MAX_AHEAD_US: Final = HOUR_US


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a micro-batch of messages held.

    Attributes:
        batch: the n valid events, in log order.
        rows: intp [n], index of each valid event in the input.
        rejects: the others, in log order.
        ignored: index in the input -> optional fields that were invalid and are missing in the event.
        wrong: own field -> values of the wrong kind, which are missing in the batch.
        masked: card numbers replaced.
        values: the messages.
        plain: what was read of those that are plain.
        careful: index in the input -> the event of a message that is not.
    """

    batch: Batch
    rows: npt.NDArray[np.intp]
    rejects: Sequence[Reject]
    ignored: Mapping[int, tuple[str, ...]]
    wrong: Mapping[str, int]
    masked: int
    values: Sequence[bytes | None]
    plain: PlainRows
    careful: Mapping[int, Event]

    def event(self, place: int) -> Event:
        """One of the n events, card numbers masked: made now, for few are ever looked at."""
        row = int(self.rows[place])
        found = self.careful.get(row)
        return read_event(self.values[row]) if found is None else found  # type: ignore[arg-type]  # plain, hence bytes

    @property
    def events(self) -> list[Event]:
        """All of them."""
        return [self.event(place) for place in range(len(self.rows))]

    def told(self, places: npt.NDArray[np.intp]) -> list[list[str]]:
        """Texts of the chosen events: a list for each of `TOLD_NAMES`, without making the events."""
        rows = self.rows[places]
        texts = self.plain.texts(rows)
        if self.careful:
            for place, row in enumerate(rows.tolist()):
                if row in self.careful:
                    for column, name in zip(texts, TOLD_NAMES, strict=True):
                        column[place] = getattr(self.careful[row], name)
        return texts


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads messages of the transactions topic.

    Attributes:
        rates: rates into the base currency.
        fields: the shop's own, entries of `attributes`.
        max_ahead_us: how far an event's time may lie after its Kafka timestamp.
        pan_token: what to replace card numbers by; None leaves them.
    """

    rates: Rates
    fields: OwnFields = NO_FIELDS
    max_ahead_us: int = MAX_AHEAD_US
    pan_token: Token | None = None
    _plain: PlainReader = field(init=False, repr=False, compare=False)
    _careful: CarefulReader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = PlainReader.of(self.rates, self.fields, masks=self.pan_token is not None)
        careful = CarefulReader(self.rates, self.fields, self.max_ahead_us, self.pan_token)
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "_careful", careful)

    def decode(self, values: Sequence[bytes | None], timestamps_us: Sequence[int]) -> Decoded:
        """Splits n messages, with their Kafka timestamps in µs, into a batch of events and the rejects."""
        times = np.asarray(within_range(timestamps_us), np.int64)
        plain = self._plain.read(values, times + self.max_ahead_us)
        odd = np.flatnonzero(~plain.plain)
        if not len(odd):
            return Decoded(plain.batch, np.arange(len(values)), [], {}, {}, 0, values, plain, {})
        careful = self._careful.read([values[row] for row in odd.tolist()], times[odd])
        rows = odd[careful.rows]
        kept = plain.plain.copy()
        kept[rows] = True
        _put(careful.batch, plain.batch, rows)
        found = np.flatnonzero(kept)
        return Decoded(
            batch=plain.batch if len(found) == len(values) else plain.batch.take(found),
            rows=found,
            rejects=[Reject(int(odd[reject.row]), reject.reason, reject.detail) for reject in careful.rejects],
            ignored={int(odd[row]): names for row, names in careful.ignored.items()},
            wrong=careful.wrong,
            masked=careful.masked,
            values=values,
            plain=plain,
            careful=dict(zip(rows.tolist(), careful.events, strict=True)),
        )


def _put(rows: Batch, into: Batch, places: npt.NDArray[np.intp]) -> None:
    """Writes the rows of a batch to these places of another one."""
    for column in fields(Batch):
        getattr(into, column.name)[places] = getattr(rows, column.name)
