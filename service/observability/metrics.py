"""Every metric of the service, declared once. Labels are bounded: actions, reasons, kinds, stages, partitions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry

from fraud.contracts.inbound import OPTIONAL_FIELDS, Reason
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import Kind
from fraud.features.encoder import Status
from fraud.history.history import History
from fraud.money import MICRO
from fraud.units import DAY_US
from service.batch import PartitionBatch, ProcessedBatch
from service.observability.control_metrics import ControlMetrics
from service.observability.declared import Declared
from service.observability.record_latency import RecordLatency
from service.ports import Models
from service.scored_batch import ScoredBatch

STAGES: Final = ("decode", "features", "score", "policy", "send", "commit")
"""Of a batch, in order."""


class InputMetrics:
    """Records, by what they were."""

    def __init__(self, declared: Declared) -> None:
        counter = declared.counter
        self._records = counter(
            "records_total", "Records processed, by kind", "kind", ("transaction", "outcome", "dead_letter")
        )
        self._dead_letters = counter(
            "dead_letters_total", "Records that could not be scored, by reason", "reason", Reason
        )
        self._fields_ignored = counter(
            "fields_ignored_total",
            "Invalid optional fields, treated as missing; of attributes once an event, and each declared one of the "
            "wrong kind",
            "field", OPTIONAL_FIELDS,
        )  # fmt: skip
        self._duplicates = counter("duplicates_total", "Transactions seen again within 24 h, not scored twice")
        self._late = counter("late_total", "Events dated before the newest that their history had counted")
        self._ahead = counter(
            "ahead_total", "Events dated over an hour after most others, as by a wrong clock or a gap"
        )
        self._headers_unreadable = counter(
            "headers_unreadable_total", "Records without the headers that they came with"
        )
        self._pan_masked = counter("pan_masked_total", "Card numbers replaced by tokens at decode")

    def observe(self, part: PartitionBatch) -> None:
        """Takes in a committed part."""
        kinds = np.bincount(part.decoded.batch.kind, minlength=len(Kind))
        self._records.labels("transaction").inc(int(kinds[Kind.TRANSACTION]))
        self._records.labels("outcome").inc(int(kinds[Kind.TRANSACTION + 1 :].sum()))
        self._records.labels("dead_letter").inc(len(part.dead))
        for reject in part.dead:
            self._dead_letters.labels(reject.reason).inc()
        for fields in part.decoded.ignored.values():
            for name in fields:
                self._fields_ignored.labels(name).inc()
        for name, count in part.decoded.wrong.items():
            self._fields_ignored.labels(f"attributes.{name}").inc(count)
        self._duplicates.inc(int(np.count_nonzero(part.encoded.status == Status.DUPLICATE)))
        self._late.inc(int(np.count_nonzero(part.encoded.late)))
        self._ahead.inc(int(np.count_nonzero(part.encoded.ahead)))
        self._headers_unreadable.inc(part.records.bare)
        self._pan_masked.inc(part.decoded.masked)


class DecisionMetrics:
    """Scored transactions, by what was done."""

    def __init__(self, declared: Declared) -> None:
        counter, flagged = declared.counter, ACTIONS[1:]
        self._transactions = counter("transactions_total", "Transactions scored, by action", "action", ACTIONS)
        self._alerts = counter("alerts_total", "Alerts published, by action", "action", flagged)
        self._amount = counter("amount_total", "Money in scored transactions, base currency units")
        self._flagged_amount = counter(
            "flagged_amount_total", "Money in flagged transactions, by action", "action", flagged
        )
        self._explored = counter("explored_total", "Would-be blocks let through to learn")

    def observe(self, part: PartitionBatch, scored: ScoredBatch) -> None:
        """Takes in a committed part."""
        amounts = part.batch.amount
        self._amount.inc(float(amounts.sum()) / MICRO)
        self._explored.inc(int(np.count_nonzero(scored.explored)))
        for number, action in enumerate(ACTIONS):
            rows = scored.action == number
            count = int(np.count_nonzero(rows))
            self._transactions.labels(action).inc(count)
            if count and number:
                self._alerts.labels(action).inc(count)
                self._flagged_amount.labels(action).inc(float(amounts[rows].sum()) / MICRO)


class LatencyMetrics:
    """Times of batches and records, and the distance to the end of the log."""

    def __init__(self, declared: Declared) -> None:
        self._batch_seconds = declared.histogram(
            "batch_seconds", "Time of a batch by stage",
            (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15), "stage",
        )  # fmt: skip
        for stage in STAGES:
            self._batch_seconds.labels(stage)
        self._batch_size = declared.histogram(
            "batch_size", "Records in a batch", (1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000)
        )
        self._end_to_end = declared.bulk_histogram(
            "end_to_end_seconds",
            "From a record's Kafka timestamp, or the last look at the log before it came, to its committed decision",
            (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
        )
        self.longest_turn = declared.gauge(
            "longest_turn_seconds", "Longest time between two signs of life of the loop since the start"
        )
        self._behind_seconds = declared.gauge(
            "behind_seconds", "Time that a record may have waited by now, at most; 0 when none waits"
        )
        self._consumer_lag = declared.gauge("consumer_lag_records", "Records behind the end of the log", "partition")
        self.records = RecordLatency()
        self._behind: frozenset[int] = frozenset()

    def observe(self, result: ProcessedBatch, *, committed_us: int, seconds: Mapping[str, float]) -> None:
        """Takes in a committed batch, see `Metrics.batch`."""
        self._batch_size.observe(len(result))
        for stage, spent in {**result.laps, **seconds}.items():
            self._batch_seconds.labels(stage).observe(spent)
        for part in result.parts:
            self._end_to_end.observe(self.records.latencies(part.records, committed_us))

    def lag(self, behind: Mapping[int, int], now_us: int) -> None:
        """Notes how far each partition is behind; a partition that went away is shown no more."""
        self._behind_seconds.set(self.records.longest(now_us))
        for gone in self._behind - behind.keys():
            self._consumer_lag.remove(str(gone))
        for partition, records in behind.items():
            self._consumer_lag.labels(str(partition)).set(records)
        self._behind = frozenset(behind)


class ModelMetrics:
    """Which models score, and their scores."""

    def __init__(self, declared: Declared) -> None:
        counter, gauge = declared.counter, declared.gauge
        self._score = declared.bulk_histogram(
            "score", "Calibrated scores",
            (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99),
        )  # fmt: skip
        self._info = gauge("model_info", "1 for each loaded model", "version", "role")
        self._age = gauge("model_age_seconds", "From the making of the champion to the newest event")
        self.swaps = counter(
            "model_swaps_total", "Model changes, by result: swapped or refused", "result", ("swapped", "refused")
        )
        self.unwatched = gauge("model_watch_age_seconds", "Time since the model directory was last looked at")
        self._not_finite = counter(
            "scores_not_finite_total", "Transactions that a model gave no score within 0..1, by its role",
            "role", ("champion", "shadow"),
        )  # fmt: skip
        self._shadow_agreement = counter(
            "shadow_agreement_total", "Transactions where the shadow's action is or is not the champion's",
            "result", ("agree", "differ"),
        )  # fmt: skip
        self._shadow_would_alert = counter(
            "shadow_would_alert_total", "Transactions that the shadow would have flagged"
        )
        self._shown: Models | None = None

    def observe(self, scored: ScoredBatch) -> None:
        """Takes in the scores of a committed part."""
        self._score.observe(scored.score)
        self._not_finite.labels("champion").inc(int(np.count_nonzero(scored.unscored)))
        if scored.shadow is not None:
            same = int(np.count_nonzero(scored.shadow.action == scored.model_action))
            self._shadow_agreement.labels("agree").inc(same)
            self._shadow_agreement.labels("differ").inc(len(scored.action) - same)
            self._not_finite.labels("shadow").inc(int(np.count_nonzero(scored.shadow.unscored)))
            self._shadow_would_alert.inc(int(np.count_nonzero(scored.shadow.action)))

    def serving(self, models: Models, newest_us: int) -> None:
        """Notes which models score.

        Args:
            models: they.
            newest_us: the time in which they score, µs: a replayed or simulated stream has dates of its own, and so
                have the models that were made from it.
        """
        self._age.set(max(0, newest_us - models.champion.created_at_us) / 1e6)
        if models is not self._shown:
            self._shown = models
            self._info.clear()
            self._info.labels(str(models.champion.version), "champion").set(1)
            if models.shadow is not None:
                self._info.labels(str(models.shadow.version), "shadow").set(1)


class HistoryMetrics:
    """The histories, their snapshots and restores."""

    def __init__(self, declared: Declared) -> None:
        counter, gauge = declared.counter, declared.gauge
        self._entities = gauge("history_entities", "Entities in memory", "entity")
        self._evictions = counter("history_evictions_total", "Entities pushed out by the caps", "entity")
        self._refused = counter("history_refused_total", "Attempts that an entity's ring had no room to grow for")
        self._dedupe_reach = gauge(
            "dedupe_reach_seconds", "How far back repeats are known for certain, in the partition where that is least"
        )
        self._dedupe_reach.set(DAY_US / 1e6)  # without partitions nothing is forgotten
        self.complete = gauge("history_complete", "1 when every history reaches back over the whole horizon")
        self.snapshot_seconds = gauge("snapshot_seconds", "Time that the last snapshot took to write")
        self.snapshot_age = gauge("snapshot_age_seconds", "Time since the oldest partition's last snapshot")
        self.snapshot_failures = counter("snapshot_failures_total", "Snapshots that could not be written")
        self.restore_seconds = gauge("restore_seconds", "Time that the last restore of a history took")
        self._counted: dict[str, int] = {}

    def observe(self, histories: Sequence[History]) -> None:
        """Notes what the histories of all partitions hold and have pushed out."""
        for kind, count in _summed(history.entities for history in histories).items():
            self._entities.labels(kind).set(count)
        for kind, count in _summed(history.evictions for history in histories).items():
            self._evictions.labels(kind).inc(self._grown(kind, count))
        self._refused.inc(self._grown("refused", sum(history.refused for history in histories)))
        self._dedupe_reach.set(min((history.dedupe_reach for history in histories), default=DAY_US) / 1e6)

    def _grown(self, name: str, count: int) -> int:
        """How much more than last time: histories come and go with their partitions, a counter only grows."""
        before, self._counted[name] = self._counted.get(name, 0), count
        return max(0, count - before)


class BrokerMetrics:
    """The consumer group and its transactions."""

    def __init__(self, declared: Declared) -> None:
        self.rebalances = declared.counter("rebalances_total", "Times that partitions were shared out anew")
        self.retried = declared.counter(
            "transactions_retried_total", "Batches whose commit had to be settled or repeated"
        )


class Metrics:
    """All of them, by group. Takes a registry, so that tests and programs each have their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declared = Declared(registry)
        self.input = InputMetrics(declared)
        self.decisions = DecisionMetrics(declared)
        self.latency = LatencyMetrics(declared)
        self.models = ModelMetrics(declared)
        self.history = HistoryMetrics(declared)
        self.broker = BrokerMetrics(declared)
        self.controls = ControlMetrics(declared)

    def batch(self, result: ProcessedBatch, *, committed_us: int, seconds: Mapping[str, float]) -> None:
        """Takes in a committed batch.

        Args:
            result: what came of it.
            committed_us: wall time of the commit, µs.
            seconds: time spent by stage, beside the result's own.
        """
        self.latency.observe(result, committed_us=committed_us, seconds=seconds)
        for part, scored in zip(result.parts, result.scored, strict=True):
            self.input.observe(part)
            self.decisions.observe(part, scored)
            self.models.observe(scored)
            self.controls.observe(part, scored)


def _summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for kind, count in part.items():
            total[kind] = total.get(kind, 0) + count
    return total
