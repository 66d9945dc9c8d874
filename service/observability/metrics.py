"""Every metric of the service, declared once. Labels are bounded: actions, reasons, kinds, stages, partitions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from fraud.contracts.inbound import OPTIONAL_FIELDS, Reason
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import Kind
from fraud.features.encoder import Status
from fraud.history.history import History
from fraud.money import MICRO
from fraud.units import DAY_US
from service.batch import PartitionBatch, ProcessedBatch
from service.observability.histogram import BulkHistogram
from service.observability.waiting import Waiting
from service.ports import Models
from service.scored_batch import ScoredBatch

STAGES: Final = ("decode", "features", "score", "policy", "send", "commit")
"""Of a batch, in order."""

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the number of series


class Metrics:
    """Takes a registry, so that tests and programs each have their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"fraud_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"fraud_{name}", text, labels, registry=registry)

        # What went through.
        self.records = counter("records_total", "Records processed, by kind", "kind")
        self.transactions = counter("transactions_total", "Transactions scored, by action", "action")
        self.alerts = counter("alerts_total", "Alerts published, by action", "action")
        self.dead_letters = counter("dead_letters_total", "Records that could not be scored, by reason", "reason")
        self.fields_ignored = counter(
            "fields_ignored_total", "Invalid optional fields, treated as missing; of attributes once an event", "field"
        )
        self.duplicates = counter("duplicates_total", "Transactions seen again within 24 h, not scored twice")
        self.late = counter("late_total", "Events dated before the newest that their history had counted")
        self.ahead = counter("ahead_total", "Events dated over an hour after most others, as by a wrong clock or a gap")
        self.headers_unreadable = counter("headers_unreadable_total", "Records without the headers that they came with")
        self.pan_masked = counter("pan_masked_total", "Card numbers replaced by tokens at decode")
        self.amount = counter("amount_total", "Money in scored transactions, base currency units")
        self.flagged_amount = counter("flagged_amount_total", "Money in flagged transactions, by action", "action")
        self.explored = counter("explored_total", "Would-be blocks let through to learn")

        # How fast.
        self.batch_seconds = Histogram(
            "fraud_batch_seconds", "Time of a batch by stage", ["stage"], registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
        )  # fmt: skip
        self.batch_size = Histogram(
            "fraud_batch_size", "Records in a batch", registry=registry,
            buckets=(1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000),
        )  # fmt: skip
        self.end_to_end = BulkHistogram(
            "fraud_end_to_end_seconds",
            "From a record's Kafka timestamp, or the last look at the log before it came, to its committed decision",
            (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
            registry,
        )
        self.longest_turn = gauge(
            "longest_turn_seconds", "Longest time between two signs of life of the loop since the start"
        )
        self.behind = gauge("behind_seconds", "Time that a record may have waited by now, at most; 0 when none waits")
        self.consumer_lag = gauge("consumer_lag_records", "Records behind the end of the log", "partition")

        # What the models say.
        self.score = BulkHistogram(
            "fraud_score", "Calibrated scores",
            (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99), registry,
        )  # fmt: skip
        self.model_info = gauge("model_info", "1 for each loaded model", "version", "role")
        self.model_age = gauge("model_age_seconds", "From the making of the champion to the newest event")
        self.model_swaps = counter("model_swaps_total", "Model changes, by result: swapped or refused", "result")
        self.models_unwatched = gauge("model_watch_age_seconds", "Time since the model directory was last looked at")
        self.not_finite = counter(
            "scores_not_finite_total", "Transactions that a model gave no score within 0..1, by its role", "role"
        )
        self.shadow_agreement = counter(
            "shadow_agreement_total", "Transactions where the shadow's action is or is not the champion's", "result"
        )
        self.shadow_would_alert = counter("shadow_would_alert_total", "Transactions that the shadow would have flagged")

        # The histories.
        self.history_entities = gauge("history_entities", "Entities in memory", "entity")
        self.history_evictions = counter("history_evictions_total", "Entities pushed out by the caps", "entity")
        self.history_refused = counter(
            "history_refused_total", "Attempts that an entity's ring had no room to grow for"
        )
        self.dedupe_reach = gauge(
            "dedupe_reach_seconds", "How far back repeats are known for certain, in the partition where that is least"
        )
        self.history_complete = gauge("history_complete", "1 when every history reaches back over the whole horizon")
        self.snapshot_seconds = gauge("snapshot_seconds", "Time that the last snapshot took to write")
        self.snapshot_age = gauge("snapshot_age_seconds", "Time since the oldest partition's last snapshot")
        self.snapshot_failures = counter("snapshot_failures_total", "Snapshots that could not be written")
        self.restore_seconds = gauge("restore_seconds", "Time that the last restore of a history took")

        # The group and the transactions.
        self.rebalances = counter("rebalances_total", "Times that partitions were shared out anew")
        self.retried = counter("transactions_retried_total", "Batches whose commit had to be settled or repeated")

        # Label values that exist from the start: a rate over a series that appears with its first count misses it.
        bounded: tuple[tuple[Counter | Histogram, Iterable[str]], ...] = (
            (self.batch_seconds, STAGES),
            (self.records, ("transaction", "outcome", "dead_letter")),
            (self.transactions, ACTIONS),
            (self.alerts, ACTIONS[1:]),
            (self.flagged_amount, ACTIONS[1:]),
            (self.dead_letters, Reason),
            (self.fields_ignored, OPTIONAL_FIELDS),
            (self.model_swaps, ("swapped", "refused")),
            (self.not_finite, ("champion", "shadow")),
            (self.shadow_agreement, ("agree", "differ")),
        )
        for metric, values in bounded:
            for value in values:
                metric.labels(value)
        self.dedupe_reach.set(DAY_US / 1e6)  # without partitions nothing is forgotten
        self.waiting = Waiting()
        self._counted: dict[str, int] = {}
        self._behind: frozenset[int] = frozenset()
        self._models: Models | None = None

    def batch(self, result: ProcessedBatch, *, committed_us: int, seconds: Mapping[str, float]) -> None:
        """Takes in a committed batch.

        Args:
            result: what came of it.
            committed_us: wall time of the commit, µs.
            seconds: time spent by stage, beside the result's own.
        """
        self.batch_size.observe(len(result))
        for stage, spent in {**result.laps, **seconds}.items():
            self.batch_seconds.labels(stage).observe(spent)
        for part, scored in zip(result.parts, result.scored, strict=True):
            self._part(part, committed_us)
            self._verdicts(part, scored)

    def _part(self, part: PartitionBatch, committed_us: int) -> None:
        kinds = np.bincount(part.decoded.batch.kind, minlength=len(Kind))
        self.records.labels("transaction").inc(int(kinds[Kind.TRANSACTION]))
        self.records.labels("outcome").inc(int(kinds[Kind.TRANSACTION + 1 :].sum()))
        self.records.labels("dead_letter").inc(len(part.dead))
        for reject in part.dead:
            self.dead_letters.labels(reject.reason).inc()
        for fields in part.decoded.ignored.values():
            for name in fields:
                self.fields_ignored.labels(name).inc()
        self.duplicates.inc(int(np.count_nonzero(part.encoded.status == Status.DUPLICATE)))
        self.late.inc(int(np.count_nonzero(part.encoded.late)))
        self.ahead.inc(int(np.count_nonzero(part.encoded.ahead)))
        self.headers_unreadable.inc(part.records.bare)
        self.pan_masked.inc(part.decoded.masked)
        self.end_to_end.observe(self.waiting.latencies(part.records, committed_us))

    def _verdicts(self, part: PartitionBatch, scored: ScoredBatch) -> None:
        self.score.observe(scored.score)
        self.not_finite.labels("champion").inc(int(np.count_nonzero(scored.unscored)))
        amounts = part.batch.amount
        self.amount.inc(float(amounts.sum()) / MICRO)
        self.explored.inc(int(np.count_nonzero(scored.model_action != scored.action)))
        for number, action in enumerate(ACTIONS):
            rows = scored.action == number
            count = int(np.count_nonzero(rows))
            self.transactions.labels(action).inc(count)
            if count and number:
                self.alerts.labels(action).inc(count)
                self.flagged_amount.labels(action).inc(float(amounts[rows].sum()) / MICRO)
        if scored.shadow is not None:
            same = int(np.count_nonzero(scored.shadow.action == scored.action))
            self.shadow_agreement.labels("agree").inc(same)
            self.shadow_agreement.labels("differ").inc(len(scored.action) - same)
            self.not_finite.labels("shadow").inc(int(np.count_nonzero(scored.shadow.unscored)))
            self.shadow_would_alert.inc(int(np.count_nonzero(scored.shadow.action)))

    def models(self, models: Models, newest_us: int) -> None:
        """Notes which models score.

        Args:
            models: they.
            newest_us: the time in which they score, µs: a replayed or simulated stream has dates of its own, and so
                have the models that were made from it.
        """
        self.model_age.set(max(0, newest_us - models.champion.created_at_us) / 1e6)
        if models is not self._models:
            self._models = models
            self.model_info.clear()
            self.model_info.labels(str(models.champion.version), "champion").set(1)
            if models.shadow is not None:
                self.model_info.labels(str(models.shadow.version), "shadow").set(1)

    def lag(self, behind: Mapping[int, int], now_us: int) -> None:
        """Notes how far each partition is behind; a partition that went away is shown no more."""
        self.behind.set(self.waiting.longest(now_us))
        for gone in self._behind - behind.keys():
            self.consumer_lag.remove(str(gone))
        for partition, records in behind.items():
            self.consumer_lag.labels(str(partition)).set(records)
        self._behind = frozenset(behind)

    def histories(self, histories: Sequence[History]) -> None:
        """Notes what the histories of all partitions hold and have pushed out."""
        for kind, count in _summed(history.entities for history in histories).items():
            self.history_entities.labels(kind).set(count)
        for kind, count in _summed(history.evictions for history in histories).items():
            self.history_evictions.labels(kind).inc(self._grown(kind, count))
        self.history_refused.inc(self._grown("refused", sum(history.refused for history in histories)))
        self.dedupe_reach.set(min((history.dedupe_reach for history in histories), default=DAY_US) / 1e6)

    def _grown(self, name: str, count: int) -> int:
        """How much more than last time: histories come and go with their partitions, a counter only grows."""
        before, self._counted[name] = self._counted.get(name, 0), count
        return max(0, count - before)


def _summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for kind, count in part.items():
            total[kind] = total.get(kind, 0) + count
    return total
