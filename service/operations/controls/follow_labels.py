"""`service.operations.controls.confirmations` on Kafka: labels and payments in, entries of a list out."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from fraud.decoding.structs import TransactionEvent
from runtime.errors import Misconfigured, Unavailable, VersionConflict
from runtime.kafka.client import Cluster
from runtime.kafka.controls_log import ControlsWriter
from runtime.shutdown import Shutdown
from service.adapters.kafka.group import Reader
from service.bootstrap import card_key, decoder, domain
from service.operations.controls.confirmations import Confirmations, Listed, PaymentPlaces
from service.ports import Records
from service.settings import Settings

PAUSE_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class _Followed:
    """All partitions of a topic, from their beginning on."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._positions: dict[int, int] = {}

    def new(self) -> Iterator[Records]:
        """What has come since the last call."""
        for partition in self._reader.partitions():
            first, end = self._reader.bounds(partition)
            start = max(first, self._positions.get(partition, first))
            for records in self._reader.replay(partition, start, end):
                yield records
                self._positions[partition] = records.end


class LabelFollower:
    """One turn reads what is new and writes what is due."""

    def __init__(self, settings: Settings, readers: tuple[Reader, Reader, Reader], writer: ControlsWriter) -> None:
        """At the beginning of both topics.

        Args:
            settings: of the service.
            readers: of payments, of single payments, of labels.
            writer: of controls.
        """
        payments, self._single, labels = readers
        self._payments, self._labels, self._writer = _Followed(payments), _Followed(labels), writer
        self._places = PaymentPlaces()
        self._decoder = decoder(settings, domain(settings), card_key(settings))
        listed = Listed(tuple(settings.confirmed_fields.split(",")), timedelta(days=settings.confirmed_days))
        self._confirmations = Confirmations(listed, self._payment)

    def turn(self) -> int:
        """How many versions were written.

        Raises:
            Unavailable: the broker is away; turn again.
        """
        for records in self._payments.new():
            self._places.add(records.partition, records.offsets, records.values)
        for records in self._labels.new():
            self._confirmations.add(records.values)
        written = 0
        for control in self._confirmations.due(self._writer.refresh().current(), datetime.now(UTC)):
            try:
                self._writer.put(control)
                written += 1
            except (VersionConflict, Misconfigured) as error:
                _log.error("a confirmation does not count", control=control.name, reason=str(error))
        return written

    def _payment(self, transaction_id: str) -> TransactionEvent | None:
        place = self._places.find(transaction_id)
        if place is None:
            return None
        partition, offset = place
        for records in self._single.replay(partition, offset, offset + 1):
            decoded = self._decoder.decode(records.values, records.timestamps_us)
            event = decoded.event(0) if len(decoded.batch) else None
            if isinstance(event, TransactionEvent):
                return event
        return None


def follow_labels(settings: Settings, stop: Shutdown, *, once: bool) -> None:
    """Turns until told to stop; with `once` ends when all that was there is done."""
    cluster = Cluster.of(settings)
    topics = (settings.transactions_topic, settings.transactions_topic, settings.labels_topic)
    with ExitStack() as stack:
        payments, single, labels = (stack.enter_context(closing(Reader(cluster, topic))) for topic in topics)
        writer = stack.enter_context(closing(ControlsWriter(cluster, settings.controls_topic)))
        follower = LabelFollower(settings, (payments, single, labels), writer)
        while not stop.requested:
            try:
                written = follower.turn()
            except Unavailable as error:
                if once:
                    raise
                _log.warning("waiting for the broker", error=str(error))
                written = 0
            if written:
                _log.info("confirmations written", versions=written)
            if once:
                return
            stop.wait(PAUSE_SECONDS)
