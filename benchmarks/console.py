"""`make bench-console`: fifty analysts at one console, and what is lost when console or broker is killed.

First phase: everybody works, nobody is hurt; p95 of queue and case pages. Second phase: while they work, console and
broker are killed (-9) in turn. In the end the log is read: every verdict that a page confirmed must be a label, and no
case may have been shown to two analysts as theirs.
"""

import http.client
import random
import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec
import numpy as np

from benchmarks.report import Figure, report
from fraud.contracts.cases import CaseEvent
from fraud.contracts.examples import EXAMPLES
from fraud.contracts.outbound import alert_id
from local.broker.local_broker import LocalBroker
from local.service_process import ServiceProcess
from local.testbed.consoles import Answer, ConsoleStack, Visitor

FOLDER = Path("build/bench/console")
REASONS = {"genuine": "customer_confirmed", "unauthorised": "stolen_card"}
SETTLE_SECONDS = 120.0
AWAY = (OSError, http.client.HTTPException)


@dataclass
class Seen:
    """What the analysts saw; filled by their threads.

    Attributes:
        queue_ms: time of each queue page of the first phase.
        case_ms: time of each case page of it.
        holders: analysts to whom a case was shown as theirs.
        judged: payments whose verdict a page confirmed.
        troubled: requests that a dead console or broker left unanswered.
    """

    queue_ms: list[float] = field(default_factory=list)
    case_ms: list[float] = field(default_factory=list)
    holders: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    judged: set[str] = field(default_factory=set)
    troubled: int = 0
    timed: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)


def alerts(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Payments and their alerts: customers, cards and devices that repeat."""
    rng = random.Random(seed)  # noqa: S311 - a world for a benchmark
    start = datetime.now(UTC) - timedelta(hours=1)
    for number in range(count):
        name, moment = f"t{number}", (start + timedelta(seconds=3600 * number / count)).isoformat()
        amount = round(rng.lognormvariate(4, 1), 2)
        payment = {
            **EXAMPLES["transaction"][1],
            "transaction_id": name, "customer_id": f"c{rng.randrange(count // 4 + 1)}",
            "card_fingerprint": f"k{rng.randrange(count // 3 + 1)}", "device_id": f"d{rng.randrange(count // 5 + 1)}",
            "email_hash": f"e{rng.randrange(count // 4 + 1)}",
            "billing_address_hash": f"a{rng.randrange(count // 3 + 1)}",
            "shipping_address_hash": f"a{rng.randrange(count // 3 + 1)}", "event_time": moment, "amount": str(amount),
        }  # fmt: skip
        gain = rng.expovariate(0.1)
        alert = {
            **EXAMPLES["alert"][1], "alert_id": alert_id(name, "pre_auth"), "transaction_id": name, "action": "review",
            "customer_id": payment["customer_id"], "event_time": moment, "scored_at": moment, "transaction": payment,
            "costs": {"allow": 10 + gain, "challenge": 12 + gain, "review": 10.0, "block": 13 + gain},
        }  # fmt: skip
        yield msgspec.json.encode(payment), msgspec.json.encode(alert)


class Analyst(threading.Thread):
    """Looks at the queue, takes the next case, reads it, judges it; thinks in between."""

    def __init__(self, port: int, name: str, seen: Seen, stop: threading.Event, *, think: float, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self._visitor = Visitor(port, name)
        self._seen = seen
        self._stop_asked = stop
        self._think = think
        self._rng = random.Random(seed)  # noqa: S311 - how long somebody thinks

    def run(self) -> None:
        """Works until told to stop; a console that is away is waited for."""
        while not self._stop_asked.is_set():
            try:
                self._turn()
            except AWAY:
                with self._seen.lock:
                    self._seen.troubled += 1
                self._stop_asked.wait(0.5)

    def _turn(self) -> None:
        queue = self._timed("/queue", self._seen.queue_ms)
        if 'name="password"' in queue.text or queue.status == 303:
            self._visitor.log_in()
            return
        self._pause()
        case = self._visitor.post("/queue/next", csrf=queue.hidden()["csrf"], query="")
        if not case.path.startswith("/case/") or not self._note_held(case):
            return
        self._pause()
        case = self._timed(case.path, self._seen.case_ms)
        if not self._note_held(case):
            return
        self._pause()
        self._judge(case)

    def _judge(self, case: Answer) -> None:
        verdict = self._rng.choice(list(REASONS))
        fields = {"verdict": verdict, "reason_code": REASONS[verdict]}
        done = self._visitor.post(f"{case.path}/verdict", **case.hidden(), **fields)
        if done.status == 200 and f"Judged {verdict} by {self.name}" in done.text:
            payment = re.search(r"transaction_id</th><td><bdi>([^<]+)", done.text)
            with self._seen.lock:
                self._seen.judged.add(payment[1] if payment else done.path)

    def _note_held(self, case: Answer) -> bool:
        held = "You hold this case" in case.text
        if held:
            with self._seen.lock:
                self._seen.holders[case.path].add(self.name)
        return held

    def _timed(self, path: str, times: list[float]) -> Answer:
        began = time.perf_counter()
        answer = self._visitor.get(path)
        if answer.status == 200 and self._seen.timed:
            times.append(1000 * (time.perf_counter() - began))
        return answer

    def _pause(self) -> None:
        self._stop_asked.wait(self._rng.expovariate(1 / self._think))


def double_claims(records: Sequence[bytes], seen: Seen) -> int:
    """Cases that two analysts were shown as theirs; no claim ends within a run, and nobody gives one back."""
    known = {event.case_id for event in map(CaseEvent.model_validate_json, records)}
    unknown = [path for path in seen.holders if path.removeprefix("/case/") not in known]
    return sum(len(holders) > 1 for holders in seen.holders.values()) + len(unknown)


def until_labelled(stack: ConsoleStack, judged: set[str]) -> set[str]:
    """Payments whose confirmed verdict has no label, after a while."""
    began = time.monotonic()
    while True:
        lost = judged - {label.transaction_id for label in stack.labels()}
        if not lost or time.monotonic() - began > SETTLE_SECONDS:
            return lost
        time.sleep(1.0)


def hurt(console: ServiceProcess, broker: LocalBroker, kills: int, pause: float) -> list[float]:
    """Kills the console, and the broker, so many times each; seconds until the console was ready again."""
    back = []
    for number in range(2 * kills):
        time.sleep(pause)
        began = time.monotonic()
        if number % 2:
            broker.kill()
            broker.start()
        else:
            console.kill()
            console.start()
        console.ready()
        back.append(time.monotonic() - began)
    return back


@click.command()
@click.option("--alerts", "count", default=100_000, show_default=True, help="Open cases at the beginning.")
@click.option("--analysts", default=50, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="Of the first phase.")
@click.option(
    "--think", default=2.0, show_default=True, help="Seconds that an analyst thinks between two steps, on average."
)
@click.option("--kills", default=20, show_default=True, help="Of the console, and as many of the broker.")
@click.option("--seed", default=1, show_default=True)
def main(*, count: int, analysts: int, seconds: float, think: float, kills: int, seed: int) -> None:
    """Fill the queue, work it, kill, and count."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    names = {f"a{number}": "analyst" for number in range(analysts)}
    with LocalBroker(storage=Path(tempfile.mkdtemp(dir=FOLDER))) as broker:
        stack = ConsoleStack(broker.bootstrap_servers, FOLDER, "bench")
        payments, flagged = zip(*alerts(count, seed), strict=True)
        stack.send("transactions", *payments)
        stack.send("alerts", *flagged)
        began = time.monotonic()
        console, port = stack.console("console", names)
        try:
            console.ready()
            while console.metric("fraud_console_open_cases") < count:
                time.sleep(0.5)
            filled = time.monotonic() - began
            figures = work(
                console, broker, stack, names, port=port, seconds=seconds, think=think, kills=kills, seed=seed
            )
        finally:
            stack.close()
    figures.append(Figure("console.projection_records_per_s", 2 * count / filled, "1/s"))
    report("console", figures, title=f"{analysts} analysts, {count:,} alerts, {kills} kills of console and of broker")


def work(
    console: ServiceProcess,
    broker: LocalBroker,
    stack: ConsoleStack,
    names: dict[str, str],
    *,
    port: int,
    seconds: float,
    think: float,
    kills: int,
    seed: int,
) -> list[Figure]:
    """Both phases, and the figures."""
    seen, stop = Seen(), threading.Event()
    people = [Analyst(port, name, seen, stop, think=think, seed=seed + n) for n, name in enumerate(names)]
    for person in people:
        person.start()
    time.sleep(min(10.0, seconds / 4))  # everybody logs in, which costs 0.1 s of scrypt each
    seen.queue_ms.clear()
    seen.case_ms.clear()
    time.sleep(seconds)
    seen.timed = False
    back = hurt(console, broker, kills, pause=2.0)
    stop.set()
    for person in people:
        person.join(90)
    pages = seen.queue_ms + seen.case_ms
    return [
        Figure("console.p95_ms", float(np.percentile(pages, 95)), "ms"),
        Figure("console.queue_p95_ms", float(np.percentile(seen.queue_ms, 95)), "ms"),
        Figure("console.case_p95_ms", float(np.percentile(seen.case_ms, 95)), "ms"),
        Figure("console.pages_per_s", len(pages) / seconds, "1/s"),
        Figure("console.verdicts", len(seen.judged), ""),
        Figure("console.lost", len(until_labelled(stack, seen.judged)), ""),
        Figure("console.double_claims", double_claims(stack.read("cases"), seen), ""),
        Figure("console.unanswered", seen.troubled, ""),
        *([Figure.of("console.back_after_s", back, "s")] if back else []),
    ]


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.console")
