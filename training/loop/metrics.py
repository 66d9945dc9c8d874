"""Everything that the loop exposes, declared once. The registry is given, so that tests read their own."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from training.loop.decision import Decision


class LoopMetrics:
    """The loop's metrics; labels are bounded by the number of kept versions and of decisions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.runs = Counter("fraud_loop_runs", "Finished runs by what they led to", ["decision"], registry=registry)
        self.label_lag = Gauge("fraud_loop_label_lag_seconds", "Now minus the newest label", registry=registry)
        self.precision = Gauge(
            "fraud_loop_matured_precision",
            "Share of fraud among flagged payments of known label",
            registry=registry,
        )
        self.recall = Gauge(
            "fraud_loop_matured_recall", "Share of known frauds that had been flagged", registry=registry
        )
        self.promised = Gauge(
            "fraud_loop_promised", "What a version's evaluation promised", ["version", "figure"], registry=registry
        )
        self.realised = Gauge(
            "fraud_loop_realised",
            "What a version's decisions were worth",
            ["version", "figure"],
            registry=registry,
        )
        # features and scores: population stability index; scores_ks: Kolmogorov-Smirnov; domain: AUC.
        self.drift = Gauge("fraud_loop_drift", "Distance of today from the training data", ["kind"], registry=registry)
        self.last_success = Gauge(
            "fraud_loop_last_success_timestamp_seconds",
            "Wall time of the last turn that succeeded, or of the start",
            registry=registry,
        )
        # Of all frauds, those that nobody ever reports among them: a constant gap to 1 at high ages is these.
        self.reported = Gauge(
            "fraud_loop_reported_share", "Share of frauds that is reported by this age", ["age_days"], registry=registry
        )
        self.fraud_rate = Gauge(
            "fraud_loop_fraud_rate",
            "Rate of fraud: as reported so far, and corrected for reports that are still to come",
            ["kind"],
            registry=registry,
        )
        self.sampling = Gauge(
            "fraud_loop_review_sampling", "1 while drift without labels asks for more reviews", registry=registry
        )
        self.unknown_labels = Gauge(
            "fraud_loop_unknown_labels", "Labels whose payment has not been seen", registry=registry
        )
        self.refused = Gauge(
            "fraud_loop_refused_messages",
            "Messages in the ledger that are off their contract",
            ["kind"],
            registry=registry,
        )
        # timestamp: a record's stamp was no time; lost: removed before it was read; begun_anew: a topic made again.
        self.faults = Counter(
            "fraud_loop_feed_faults", "What was mended or lost between topics and ledger", ["fault"], registry=registry
        )
        self.business = {
            name: Gauge(f"fraud_business_{name}", text, registry=registry) for name, text in BUSINESS.items()
        }
        # What is not known yet is neither 0 nor perfect: NaN, which no alert's comparison holds for.
        for gauge in (self.label_lag, self.precision, self.recall, *self.business.values()):
            gauge.set(float("nan"))
        # A loop that never succeeds is late from its start on.
        self.last_success.set_to_current_time()
        for fault in ("timestamp", "lost", "begun_anew"):
            self.faults.labels(fault)
        for decision in Decision:
            self.runs.labels(decision)
        for kind in ("decisions", "labels"):
            self.refused.labels(kind)

    def set_reports(self, shares: Mapping[int, float], rates: Mapping[str, float]) -> None:
        """The share of frauds that is reported by an age in days, and the rates "reported" and "corrected"."""
        for days, share in shares.items():
            self.reported.labels(str(days)).set(share)
        for kind, rate in rates.items():
            self.fraud_rate.labels(kind).set(rate)

    def set_business(self, figures: Mapping[str, float]) -> None:
        """The business figures that could be computed; others keep their value."""
        for name, value in figures.items():
            self.business[name].set(value)


BUSINESS = {
    "fraud_loss_bps": "Reported fraud that went through, in basis points of the settled volume, last 30 days",
    "chargebacks": "Payments that were charged back, last 30 days",
    "chargeback_bps": "The same in basis points of the number of settled payments",
    "approval_ratio": "Share of payments that were authorised, last 30 days",
    "challenge_ratio": "Share of payments that were challenged, last 30 days",
    "review_ratio": "Share of payments that went to review, last 30 days",
    "insult_ratio": "Expected share of good customers who were turned away, last 30 days",
    "value_recall": "Share of the reported fraud's value that had been flagged",
    "review_capacity_used_ratio": "Reviews against the policy's capacity, last 30 days",
    "net_money_total": "Money saved against allowing everything, by the policy's costs, on payments with known labels",
}
