"""Past payments decided again, without a draft and with it: under the scores that they were given at the time.

The measures that rules read are counted anew from the payments and outcomes themselves, by the code that the service
counts with. What the model said is taken from the decisions, so that no model is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from console.projection.log import LogRecord
from fraud.contracts.controls import Control
from fraud.controls.backtest import Judged, propose_all
from fraud.controls.effects import Payments, Ruled
from fraud.controls.names import vocabulary_of
from fraud.controls.payment_facts import PaymentFacts
from fraud.controls.rulebook import Rulebook
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import ENTITIES
from fraud.decoding.decoder import Decoded, Decoder
from fraud.decoding.structs import TransactionEvent
from fraud.features.catalogue import history_config
from fraud.features.encoder import Encoder, FeatureSpec, Status
from fraud.history.history import History
from fraud.money import MICRO
from fraud.privacy.card_numbers import Token
from runtime.platform_file import DeclaredPlatform

REPEATS: Final = 1 << 17
"""Transactions per partition among which repeats are known."""

_CUSTOMER: Final = ENTITIES.index("customer")
_EVERY_ACTION: Final = frozenset(range(len(ACTIONS)))


class Made(NamedTuple):
    """What a decision said of a payment; actions as indices into `ACTIONS`."""

    score: float
    model_action: int


Decided: TypeAlias = Callable[[Sequence[str]], Mapping[str, Made]]
"""Transaction ids -> the decisions on them; those without one are left out."""


@dataclass(frozen=True, slots=True)
class Books:
    """The controls of today, without and with the draft."""

    before: Rulebook
    after: Rulebook

    @classmethod
    def of(cls, declared: DeclaredPlatform, controls: Sequence[tuple[int, bytes]], draft: Control) -> "Books":
        """Both, from the records of the controls log.

        Raises:
            ValueError: the draft cannot act on this platform.
        """
        names = vocabulary_of(declared.platform, declared.rates)
        books = cls(Rulebook(names), Rulebook(names))
        for book in (books.before, books.after):
            for offset, record in controls:
                book.take(record, offset)
        propose_all(books.after, [draft])
        return books


class PastPayments:
    """Takes a log's payments in, partition by partition in offset order, and decides on those that are recent enough.

    Attributes:
        undecided: payments that no decision is known of: they count in histories and are judged by nobody.
    """

    def __init__(
        self, declared: DeclaredPlatform, books: Books, decided: Decided, *, token: Token | None, from_us: int
    ) -> None:
        """Nothing taken in yet.

        Args:
            declared: the platform.
            books: the controls.
            decided: looks decisions up.
            token: replaces card numbers as the service does.
            from_us: event time, µs, from which on payments are judged; those before it are the history of these.
        """
        self._declared, self._books, self._decided, self._from_us = declared, books, decided, from_us
        self._spec = FeatureSpec((), declared.platform.own_fields)
        self._config = replace(history_config(declared.platform), recent_capacity=REPEATS)
        self._decoder = Decoder(rates=declared.rates, fields=self._spec.fields, pan_token=token)
        self._encoders: dict[int, Encoder] = {}
        self._asked = tuple(dict.fromkeys([*books.before.measures, *books.after.measures]))
        self.undecided = 0

    def take(self, records: Sequence[LogRecord]) -> Judged:
        """The next records of one partition; the payments among them that are judged."""
        decoded = self._decoder.decode([record.value for record in records], [record.time_us for record in records])
        encoded = self._encoder(records[0].partition).encode(decoded.batch)
        places = np.flatnonzero((encoded.status == Status.SCORE) & (decoded.batch.time >= self._from_us))
        ids = decoded.told(places)[0]
        made = self._decided(ids)
        known = np.array([name in made for name in ids], np.bool_)
        self.undecided += int(np.count_nonzero(~known))
        places = places[known]
        return self._judged(decoded, places, encoded.asked[places], made)

    def _encoder(self, partition: int) -> Encoder:
        if partition not in self._encoders:
            self._encoders[partition] = encoder = Encoder(self._spec, History(self._config))
            encoder.ask(self._asked)
        return self._encoders[partition]

    def _judged(
        self, decoded: Decoded, places: npt.NDArray[np.intp], asked: npt.NDArray[np.float32], made: Mapping[str, Made]
    ) -> Judged:
        ids, customers, times = decoded.told(places)
        batch = decoded.batch.take(places)
        score = np.array([made[name].score for name in ids], np.float64)
        model_action = np.array([made[name].model_action for name in ids], np.uint8)
        events = cache(lambda: [cast("TransactionEvent", decoded.event(place)) for place in places.tolist()])

        def ruled(book: Rulebook) -> Ruled:
            facts = PaymentFacts(
                batch,
                events,
                score=score,
                model_action=model_action,
                asked={source: asked[:, column] for column, source in enumerate(self._asked)},
                vocabulary=book.vocabulary,
                fields=self._spec.fields,
                lists=book.lists.lists,
                rates=self._declared.rates,
            )
            payments = Payments(
                time=batch.time,
                amount=batch.amount,
                score=score,
                customer=batch.ids[:, _CUSTOMER],
                model_action=model_action,
                possible=_EVERY_ACTION,
                hashes=facts.hashes,
            )
            return book.rule(payments, facts)

        before, after = ruled(self._books.before), ruled(self._books.after)
        return Judged(
            transaction_ids=ids,
            customer_ids=customers,
            event_times=times,
            amount=batch.amount / MICRO,
            score=score,
            model_action=model_action,
            before=before.action,
            after=after.action,
            fired=after.fired,
            uncomputed=after.uncomputed,
        )
