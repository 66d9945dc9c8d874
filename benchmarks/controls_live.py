"""`make bench-controls-live`: how soon a control decides under load, and what a kill at that moment changes: nothing.

A real broker and scorer under a steady load. Rules are put one after another, each effective for some payments; after
the last one the scorer is killed at once. Then all outputs are counted, and every decision is made again under the
controls that it names.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.report import Figure, report
from fraud.contracts.controls import Control
from local.broker.local_broker import LocalBroker
from local.testbed.bundles import serve, write_bundle
from local.testbed.scorer_run import SECRET, ScorerRun
from runtime.kafka.controls_log import ControlsWriter
from service.adapters.kafka.group import Reader
from service.operations.controls.replay import decide_past
from service.settings import Settings

PUTS = 5
MODEL = 1


def rule(number: int) -> Control:
    """One that fires on some payments, a few more each time."""
    return Control(
        control_id=f"live-{number}",
        version=1,
        kind="rule",
        status="live",
        author="bench",
        reason="how soon it decides",
        written_at=datetime.now(UTC),
        rule={"when": f"amount < {number + 1} and customer_attempts_24h >= 0", "effect": "block"},  # type: ignore[arg-type]
    )


def measure(scorer: ScorerRun, *, rate: float, payments: int) -> list[Figure]:
    """Load, puts and the kill; the figures."""
    service = scorer.service()
    service.start()
    service.ready()
    put: dict[int, float] = {}
    with closing(ControlsWriter(scorer.cluster, scorer.names["controls_topic"])) as writer, scorer.load(rate=rate):
        scorer.until_moved(int(rate))
        for number in range(PUTS):
            began = time.time()  # noqa: TID251 - beside `scored_at`, which is wall time
            put[writer.put(rule(number)) + 1] = began
            if number == PUTS - 1:
                service.kill()
            time.sleep(2)
        service.start()
        while scorer.committed() < payments:
            time.sleep(0.2)
    scorer.until_caught_up()
    if service.stop() != 0:
        raise AssertionError(service.last_line())
    rows = list(written(scorer, "decisions_topic"))
    return [*speed(rows, put), *exactness(scorer, rows)]


def speed(rows: list[dict[str, Any]], put: dict[int, float]) -> list[Figure]:
    """From before each `put` to the first decision under it; the last one was killed, and is told apart."""
    first: dict[int, float] = {}
    for row in rows:
        at = datetime.fromisoformat(row["scored_at"]).timestamp()
        for offset in put:
            if row["controls_offset"] >= offset:
                first[offset] = min(at, first.get(offset, at))
    after = [first[offset] - began for offset, began in put.items()]
    return [
        Figure.of("live_after_s", after[:-1], "s"),
        Figure("live_after_worst_s", max(after[:-1]), "s"),
        Figure("live_after_kill_s", after[-1], "s"),
    ]


def exactness(scorer: ScorerRun, rows: list[dict[str, Any]]) -> list[Figure]:
    """Outputs that are missing or too many, and decisions that come out otherwise when they are made again."""
    alerts = Counter(row["alert_id"] for row in written(scorer, "alerts_topic"))
    flagged = Counter(row["alert_id"] for row in rows if row["alert_id"])
    settings = Settings(
        **scorer.names,  # type: ignore[arg-type]
        kafka_bootstrap_servers=scorer.servers,
        models_dir=scorer.models,
        snapshots_dir=scorer.folder / "snapshots",
        platform_file=scorer.platform_file,
        secret=SECRET,
    )
    again = decide_past(settings, scorer.names["transactions_topic"], MODEL)
    doubled = len(rows) - len({row["transaction_id"] for row in rows})
    return [
        Figure("decisions", len(rows), "decisions"),
        Figure("decided_by_rules", sum(row["rules"] is not None for row in rows), "decisions"),
        Figure("doubled", doubled + (alerts - flagged).total(), "messages"),
        Figure("lost", again.unknown + (flagged - alerts).total(), "messages"),
        Figure("replay_compared", again.decisions, "decisions"),
        Figure("replay_changed", again.changed, "decisions"),
        Figure("replay_paced", again.paced, "decisions"),
    ]


def written(scorer: ScorerRun, name: str) -> Iterator[dict[str, Any]]:
    """Everything that was committed to an output."""
    with closing(Reader(scorer.cluster, scorer.names[name])) as reader:
        for records in reader.replay(0, *reader.bounds(0)):
            yield from (msgspec.json.decode(value) for value in records.values if value is not None)


@click.command()
@click.option("--rate", default=5_000.0, show_default=True, help="events a second")
@click.option("--payments", default=110_000, show_default=True, help="events in all, at least")
def main(*, rate: float, payments: int) -> None:
    """All parts."""
    with tempfile.TemporaryDirectory() as name, LocalBroker() as broker:
        folder = Path(name)
        write_bundle(folder / "models", MODEL)
        serve(folder / "models", MODEL)
        scorer = ScorerRun(broker.bootstrap_servers, "controls-live", folder / "run", folder / "models")
        try:
            figures = measure(scorer, rate=rate, payments=payments)
        finally:
            scorer.close()
    report("bench-controls-live", figures, title=f"Controls under {rate:g} events a second")


if __name__ == "__main__":
    main()
