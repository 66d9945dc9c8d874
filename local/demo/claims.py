"""The claims at the demo's end, computed from what went in, what came out, and the simulator's truth."""

from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

from local.demo.outputs import Outputs

Float64s = npt.NDArray[np.float64]


class ClaimFailed(Exception):  # noqa: N818 - named for what it says
    """The demo saw something that must not happen."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The demo's last line. Times in ms; precision and recall at the policy's own threshold."""

    transactions: int
    scored: int
    alerts: int
    dead_letters: int
    average_precision: float
    bayes_average_precision: float
    precision: float
    recall: float
    latency_p50_ms: float
    latency_p99_ms: float
    events_per_second: float
    model_version: int

    def as_dict(self) -> dict[str, float]:
        """Rounded for a reader."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def demo_report(
    *,
    sent: int,
    malformed: int,
    outputs: Outputs,
    truth: pd.DataFrame,
    judged: set[str],
    latencies_ms: Float64s,
    events_per_second: float,
) -> DemoReport:
    """Compares the outputs with the truth.

    Args:
        sent: transactions sent, malformed ones included.
        malformed: how many of them cannot be scored.
        outputs: what a read-committed consumer saw.
        truth: of the simulator, by transaction_id: is_fraud, probability.
        judged: ids of the transactions that count for quality: those after the go-live.
        latencies_ms: of the paced part.
        events_per_second: of the part at full speed.

    Raises:
        ClaimFailed: an event is missing or doubled, or nothing was flagged.
    """
    _accounted(sent=sent, malformed=malformed, outputs=outputs)
    rows = [row for row in outputs.decisions if row.transaction_id in judged]
    known = truth.set_index("transaction_id").loc[[row.transaction_id for row in rows]]
    fraud = known["is_fraud"].to_numpy(bool)
    flagged = np.array([row.action != "allow" for row in rows])
    if not fraud.any() or not flagged.any():
        raise ClaimFailed("no fraud or no alert after the go-live: choose another seed or more transactions")
    return DemoReport(
        transactions=sent,
        scored=len(outputs.decisions),
        alerts=len(outputs.alerts),
        dead_letters=len(outputs.dead_letters),
        average_precision=float(average_precision_score(fraud, [row.score for row in rows])),
        bayes_average_precision=float(average_precision_score(fraud, known["probability"])),
        precision=float(fraud[flagged].mean()),
        recall=float(flagged[fraud].mean()),
        latency_p50_ms=float(np.percentile(latencies_ms, 50)),
        latency_p99_ms=float(np.percentile(latencies_ms, 99)),
        events_per_second=events_per_second,
        model_version=outputs.decisions[-1].model_version,
    )


def _accounted(*, sent: int, malformed: int, outputs: Outputs) -> None:
    doubled = [name for name, count in Counter(row.transaction_id for row in outputs.decisions).items() if count > 1]
    alerts = Counter(row.alert_id for row in outputs.alerts)
    flagged = sum(row.action != "allow" for row in outputs.decisions)
    problems = [
        (len(doubled), f"{len(doubled)} transactions were scored twice, {doubled[:1]} among them"),
        (len(alerts) != len(outputs.alerts), "an alert came twice"),
        (outputs.count != sent, f"{sent:,} transactions went in, {outputs.count:,} came out"),
        (
            len(outputs.dead_letters) != malformed,
            f"{len(outputs.dead_letters)} dead letters for {malformed} bad messages",
        ),
        (not outputs.alerts, "there was not one alert"),
        (flagged != len(outputs.alerts), f"{flagged:,} flagged decisions, but {len(outputs.alerts):,} alerts"),
    ]
    for wrong, text in problems:
        if wrong:
            raise ClaimFailed(text)
