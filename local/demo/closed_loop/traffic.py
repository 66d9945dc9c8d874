"""Traffic around the loop: payments come, analysts review alerts, banks report."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from kafka import KafkaProducer

from local.demo.closed_loop.scenario import PlatformStream, Scenario
from local.demo.outputs import AlertRow, OutputMissing, Topics
from local.demo.platforms import messages
from local.load import Message
from runtime.event_tables import to_json

TRICKLE: Final = 20
TRICKLE_SECONDS: Final = 0.2
SWAP_SECONDS: Final = 300.0


class Traffic:
    """Sends what a shop, its analysts and its customers' banks send; knows nothing of models.

    Attributes:
        sent: transactions so far.
        trickled: transactions that were sent while a swap was awaited.
    """

    def __init__(self, stream: PlatformStream, scenario: Scenario, producer: KafkaProducer, topics: Topics) -> None:
        self.sent = self.trickled = 0
        self._stream, self._topics, self._producer = stream, topics, producer
        self._random = np.random.default_rng(scenario.seed)
        self._judged = 0
        labels: pd.DataFrame = stream.labels.to_pandas()
        # Until the go-live analysts judged what the old rules queued; from then on they see this service's alerts only.
        live = pd.Timestamp(scenario.at(scenario.live), unit="us", tz="UTC")
        self._waiting = labels[(labels["source"] != "analyst") | (labels["received_at"] < live)]

    def send_payments(self, since: int, until: int, *, swapped: Callable[[], bool] = lambda: True) -> None:
        """Sends the payments of a period, µs: a trickle until `swapped`, the rest at once.

        A step of simulated days takes a second; loading a model takes some, too. The trickle lets the swap happen in
        the middle of traffic, as it does in a shop, and not after all of it.

        Raises:
            OutputMissing: no swap for five minutes.
        """
        part = list(messages(self._stream.between(since, until)))
        began, place = time.monotonic(), 0
        while place < len(part) and not swapped():
            if time.monotonic() - began > SWAP_SECONDS:
                raise OutputMissing(f"the service has not swapped its model for {SWAP_SECONDS:.0f} s")
            self.trickled += self._send(part[place : place + TRICKLE])
            place += TRICKLE
            time.sleep(TRICKLE_SECONDS)
        self._send(part[place:])

    def skip_alerts(self, alerts: Sequence[AlertRow]) -> None:
        """Nobody works on these: they are about payments from before the go-live."""
        self._judged = len(alerts)

    def review(self, alerts: Sequence[AlertRow]) -> None:
        """Analysts look at new alerts on payments that were not blocked: within 1 to 3 days, with errors.

        As in the simulator (docs/explanation/simulator.md), they miss 8 % of the frauds and confirm 4 % of the genuine.
        """
        new = [alert for alert in alerts[self._judged :] if alert.action != "block"]
        self._judged = len(alerts)
        ids = [alert.transaction_id for alert in new]
        fraud = self._stream.truth.loc[ids, "is_fraud"].to_numpy(bool)
        said = np.where(self._random.random(len(new)) < np.where(fraud, 0.92, 0.04), "unauthorised", "genuine")
        delay = pd.to_timedelta(self._random.uniform(1, 3, len(new)), unit="D").round("us")
        at = pd.to_datetime([alert.event_time for alert in new], format="ISO8601", utc=True) + delay
        made = pd.DataFrame({"label_id": [f"analyst-{i}" for i in ids], "transaction_id": ids, "verdict": said})
        made = made.assign(source="analyst", occurred_at=at, received_at=at, schema_version="1.0")
        if new:
            rows = made.reindex(columns=self._waiting.columns).astype(self._waiting.dtypes)
            self._waiting = pd.concat([self._waiting, rows], ignore_index=True)

    def send_labels(self, now: int, blocked: Collection[str]) -> None:
        """Sends the labels that arrived by now, µs; what was blocked cannot be charged back."""
        due = self._waiting["received_at"] <= pd.Timestamp(now, unit="us", tz="UTC")
        lost = self._waiting["transaction_id"].isin(blocked) & (self._waiting["source"] != "analyst")
        rows = self._waiting[due & ~lost].sort_values("received_at")
        table = pa.Table.from_pandas(rows, schema=self._stream.labels.schema, preserve_index=False)
        for key, value in zip(rows["transaction_id"], to_json(table), strict=True):
            self._producer.send(self._topics.labels, key=key.encode(), value=value, timestamp_ms=now // 1000)
        self._producer.flush(timeout=60)
        self._waiting = self._waiting[~due]

    def _send(self, part: Sequence[Message]) -> int:
        topic = self._topics.transactions
        futures = [self._producer.send(topic, key=m.key, value=m.value, timestamp_ms=m.timestamp_ms) for m in part]
        self._producer.flush(timeout=60)
        for future in futures:
            future.get(timeout=1)
        asked = sum(message.counts for message in part)
        self.sent += asked
        return asked
