"""A simulated platform: its events, labels and truth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud.units import DAY_US
from simulator.attempt_stream import attempts_of_stream, concept_at
from simulator.config import VERSION, SimulationConfig
from simulator.draws import Float64s, Int64s
from simulator.event_table import (
    EVENT_SCHEMA,
    event_batch,
    pattern_codes,
    pattern_words,
    transaction_ids,
    truth_table,
)
from simulator.own_fields.draw import OwnFields, draw_own_fields
from simulator.people.attempts import Attempts
from simulator.platforms.platform import platform_of
from simulator.truth import outcomes
from simulator.truth.fraud_probability import bayes_average_precision, pools, true_probability, with_own_fields
from simulator.truth.incumbent import queue
from simulator.truth.labels import Labels, Payments, analyst_labels, joined, reported_labels
from simulator.truth.outcomes import Log, log_of

BATCH: Final = 200_000
"""Events turned into columns at a time."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a simulation came to.

    Attributes:
        version: of the simulator.
        platform, seed: of the configuration.
        transactions, outcomes, labels: counts.
        frauds: transactions that are fraud.
        base_rate: their share.
        bayes_average_precision: of ranking by the true probability; None without any fraud.
        bayes_average_precision_own: the same, for an observer who knows the own fields too.
        declined: share of transactions that the issuer declined.
        by_pattern: transactions per fraud pattern and per good behaviour.
    """

    version: str
    platform: str
    seed: int
    transactions: int
    outcomes: int
    labels: int
    frauds: int
    base_rate: float
    bayes_average_precision: float | None
    bayes_average_precision_own: float | None
    declined: float
    by_pattern: Mapping[str, int]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Simulation:
    """A platform's stream; tables are made when they are asked for, the same bytes each time.

    Attributes:
        config: what it was made from.
        attempts: all attempts in time order, latent columns included.
        probability: P(fraud | what can be seen without own fields) per attempt; float64 [n].
        probability_own: P(fraud | what can be seen with them) per attempt; float64 [n].
        own: the platform's own fields.
        log: attempts and outcomes in log order.
    """

    def __init__(self, config: SimulationConfig, attempts: Attempts, own: OwnFields, log: Log) -> None:
        self.config = config
        self.attempts = attempts
        self.own = own
        self.log = log
        pool = pools(attempts)
        self.probability: Float64s = true_probability(attempts, pool)
        self.probability_own: Float64s = with_own_fields(attempts, pool, own.evidence)
        self._salt = platform_of(config).salt

    def event_batches(self, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
        """The events in log order, `rows` at a time."""
        for start in range(0, len(self.log), rows):
            part = Log(**{f.name: getattr(self.log, f.name)[start : start + rows] for f in fields(Log)})
            yield event_batch(self.attempts, part, self.own.columns, salt=self._salt)

    @cached_property
    def events(self) -> pa.Table:
        """All events in log order (`EVENT_SCHEMA`); the Kafka timestamp of each is its event time."""
        return pa.Table.from_batches(list(self.event_batches()), schema=EVENT_SCHEMA)

    @cached_property
    def truth(self) -> pa.Table:
        """One row per transaction in time order (`TRUTH_SCHEMA`)."""
        return truth_table(self.attempts, self.probability, self.probability_own, salt=self._salt)

    @cached_property
    def labels(self) -> pa.Table:
        """Labels in order of arrival, analysts fed by the incumbent's rules."""
        rows = queue(self.attempts, self.config.labels.queue_share)
        return self._labels(rows, self.attempts.time[rows] + DAY_US // 24).table()

    def labels_for(self, queued: Mapping[str, int]) -> pa.Table:
        """Labels in order of arrival, analysts fed by somebody else's queue.

        Args:
            queued: transaction id -> time at which it was put before analysts, µs since 1970 UTC. Ids of other streams
                are ignored.
        """
        ids = self.truth["transaction_id"]
        rows = pc.index_in(pa.array(list(queued), pa.string()), ids).to_numpy(zero_copy_only=False)
        at = np.fromiter(queued.values(), np.int64, len(queued))
        known = ~np.isnan(rows.astype(np.float64))
        return self._labels(rows[known].astype(np.int64), at[known]).table()

    def _labels(self, queued: Int64s, queued_at: Int64s) -> Labels:
        a, dials, seed = self.attempts, self.config.labels, self.config.seed
        paid = (a.declined == 0) & (a.amount > 0)
        payments = Payments(transaction_ids(a, self._salt), a.time, a.fraud, a.friendly, paid)
        return joined(
            [analyst_labels(payments, queued, queued_at, dials, seed), *reported_labels(payments, dials, seed)]
        )

    def summary(self) -> Summary:
        """Counts and figures."""
        a = self.attempts
        counts = np.bincount(pattern_codes(a), minlength=len(pattern_words()))
        return Summary(
            version=VERSION,
            platform=self.config.platform,
            seed=self.config.seed,
            transactions=len(a),
            outcomes=int((self.log.kind != outcomes.ATTEMPT).sum()),
            labels=self.labels.num_rows,
            frauds=int(a.fraud.sum()),
            base_rate=float(a.fraud.mean()),
            bayes_average_precision=bayes_average_precision(a.fraud, self.probability),
            bayes_average_precision_own=bayes_average_precision(a.fraud, self.probability_own),
            declined=float((a.declined > 0).mean()),
            by_pattern={name: int(n) for name, n in zip(pattern_words(), counts, strict=True)},
        )


def simulate(config: SimulationConfig) -> Simulation:
    """Makes a platform's stream; the same configuration gives the same bytes."""
    attempts, platform = attempts_of_stream(config), platform_of(config)
    own = draw_own_fields(
        config,
        attempts,
        transaction_ids(attempts, platform.salt),
        concept=concept_at(config, attempts.time),
        salt=platform.salt,
        begin=platform.begin,
    )
    log = log_of(attempts, seed=config.seed, platform=config.platform, end=platform.end)
    return Simulation(config, attempts, own, log)
