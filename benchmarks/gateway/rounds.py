"""What is measured, one function each; figures bear the names of the issue that asked for them."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from statistics import quantiles
from typing import Final

from benchmarks.gateway.checks import agreement, ids_of
from benchmarks.gateway.stack import Stack, answer_of, asyncio_run
from benchmarks.report import Figure
from local.http_load import Sent
from local.testbed.gateway_run import payments

DEADLINE_MS: Final = 1_000
"""Of measurements of latency: long, so that what is slow shows as slow and not as a fallback."""

GRACE_SECONDS: Final = 0.05
"""What this machine's own load generator may add to an answer."""


def percentile(seconds: Sequence[float], share: int) -> float:
    """A percentile, in ms."""
    return 1000 * quantiles(seconds, n=100, method="inclusive")[share - 1] if len(seconds) > 1 else 1000 * seconds[0]


def latency(s: Stack, *, rate: float, seconds: float, port: int | None = None, name: str = "") -> list[Figure]:
    """Answers at a rate: half of them and all but a hundredth, and how many were fallbacks."""
    prefix = f"{name or 'latency'}-{rate:g}"
    sent = s.pay(payments(int(rate * seconds), prefix=prefix), rate=rate, deadline_ms=DEADLINE_MS, port=port)
    times = [one.seconds for one in sent]
    fallbacks = sum(bool(answer_of(one).get("fallback", True)) for one in sent)
    at = f"{name + ' ' if name else ''}at {rate:g}/s"
    return [
        Figure(f"answer_p50_ms {at}", percentile(times, 50), "ms"),
        Figure(f"answer_p99_ms {at}", percentile(times, 99), "ms"),
        Figure(f"fallbacks {at}", fallbacks / len(sent), "share"),
        Figure(f"load generator behind, one in a hundred {at}", percentile([one.behind for one in sent], 99), "ms"),
    ]


def highest_rate(
    s: Stack, *, rates: Sequence[float], seconds: float, port: int | None = None, name: str = ""
) -> Figure:
    """The highest of some rates, ascending, at which 99 of 100 answers are decisions within 150 ms."""
    best = 0.0
    for rate in rates:
        _, p99, fallbacks, _ = latency(s, rate=rate, seconds=seconds, port=port, name=f"{name}search")
        if p99.value > 150 or fallbacks.value > 0.01:
            break
        best = rate
    return Figure(f"{name}highest rate with p99 <= 150 ms", best, "requests/s")


def exactness(s: Stack, *, count: int, rate: float) -> list[Figure]:
    """Every answer against the topic."""
    bodies = payments(count, prefix="exact")
    sent = s.pay(bodies, rate=rate, deadline_ms=DEADLINE_MS)
    s.scorer.until_caught_up()
    _drained(s)
    found = agreement(s.run, sent, ids_of(bodies))
    return [
        Figure("answers compared", found.decided, "answers"),
        Figure("mismatches", found.mismatches, "answers"),
        Figure("lost", found.lost, "payments"),
        Figure("doubled", found.doubled, "payments"),
    ]


def kills(s: Stack, *, rounds: int, rate: float, seconds: float) -> list[Figure]:
    """Gateway, scorer and broker killed in turn while payments come; then every accepted payment is there once."""
    all_bodies: list[bytes] = []
    all_sent: list[Sent] = []
    for number in range(rounds):
        bodies = payments(int(rate * seconds), prefix=f"kill-{number}", seed=number)
        victim = ("gateway", "scorer", "broker")[number % 3]
        timer = threading.Timer(seconds / 2, _killing(s, victim))
        timer.start()
        all_sent += s.pay(bodies, rate=rate, deadline_ms=500)
        all_bodies += bodies
        timer.join()
        _revive(s, victim)
    s.scorer.until_caught_up()
    _drained(s)
    s.scorer.until_caught_up()
    found = agreement(s.run, all_sent, ids_of(all_bodies))
    return [
        Figure("kills", rounds, "kills"),
        Figure("accepted through kills", found.answered, "payments"),
        Figure("lost through kills", found.lost, "payments"),
        Figure("doubled through kills", found.doubled, "payments"),
        Figure("mismatches through kills", found.mismatches, "answers"),
        Figure("repeated records through kills", found.repeated, "records"),
    ]


def overload(s: Stack, *, capacity: float, seconds: float, deadline_ms: int = 250) -> list[Figure]:
    """Three times what it can do, for so long; then how soon it answers by decisions again."""
    before = s.gateway.own_mb()
    bodies = payments(int(3 * capacity * seconds), prefix="overload")
    sent = s.pay(bodies, rate=3 * capacity, deadline_ms=deadline_ms)
    grown = s.gateway.own_mb() - before
    recovered = _until_decided(s, rate=capacity / 3)
    # From when it was written: how long the load generator itself was held up is no affair of the gateway's.
    late = [
        one for one in sent if answer_of(one).get("fallback") is False and one.seconds - one.behind > _most(deadline_ms)
    ]
    answered = [one.seconds for one in sent if one.status == 200]
    fallbacks = sum(bool(answer_of(one).get("fallback")) for one in sent)
    return [
        Figure("overload rate", 3 * capacity, "requests/s"),
        Figure("late", len(late), "answers"),
        Figure("fallbacks under overload", fallbacks / len(sent), "share"),
        Figure("refused under overload", sum(one.status != 200 for one in sent) / len(sent), "share"),
        Figure("slowest answer in a hundred under overload", percentile(answered, 99), "ms"),
        Figure("load generator behind, one in a hundred", percentile([one.behind for one in sent], 99), "ms"),
        Figure("memory grown under overload", grown, "MB"),
        Figure("recovery after overload", recovered, "s"),
    ]


def broker_away(s: Stack, *, rate: float, away_seconds: float = 1.0, deadline_ms: int = 250) -> list[Figure]:
    """The broker frozen for a second: fallbacks, then decisions again, and nothing of what was accepted is lost."""
    bodies = payments(int(rate * (away_seconds + 4)), prefix="away")

    async def scenario() -> list[Sent]:
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, s.broker.pause)
        loop.call_later(1.0 + away_seconds, s.broker.resume)
        return await s.paying(bodies, rate=rate, deadline_ms=deadline_ms)

    sent = asyncio_run(scenario())
    said = [one.due - sent[0].due for one in sent if answer_of(one).get("fallback", True)]
    recovered = max(0.0, max(said, default=0.0) - 1.0 - away_seconds)
    s.scorer.until_caught_up()
    _drained(s)
    s.scorer.until_caught_up()
    found = agreement(s.run, sent, ids_of(bodies))
    fallbacks = sum(bool(answer_of(one).get("fallback")) for one in sent)
    return [
        Figure("fallbacks with the broker away", fallbacks, "answers"),
        Figure("recovery after the broker's absence", recovered, "s"),
        Figure("lost with the broker away", found.lost, "payments"),
        Figure("mismatches with the broker away", found.mismatches, "answers"),
    ]


def _most(deadline_ms: int) -> float:
    return deadline_ms / 1000 + GRACE_SECONDS


def _killing(s: Stack, victim: str) -> Callable[[], None]:
    return {"gateway": s.gateway.kill, "scorer": s.service.kill, "broker": s.broker.kill}[victim]


def _revive(s: Stack, victim: str) -> None:
    if victim == "broker":
        s.broker.start()
        return
    process = s.gateway if victim == "gateway" else s.service
    process.start()
    process.ready()


def _until_decided(s: Stack, *, rate: float) -> float:
    """Seconds until a whole half second's payments are answered by decisions."""
    began = time.monotonic()
    attempt = 0
    while time.monotonic() - began < 120:
        attempt += 1
        since = time.monotonic() - began
        bodies = payments(max(2, int(rate / 2)), prefix=f"again-{began:.3f}-{attempt}")
        sent = s.pay(bodies, rate=rate, deadline_ms=DEADLINE_MS)
        if not any(answer_of(one).get("fallback", True) for one in sent):
            return since
    raise AssertionError(f"still fallbacks after two minutes (see {s.gateway.log})")


def _drained(s: Stack) -> None:
    """Waits until nothing is left in the journal and everything accepted is decided."""
    began = time.monotonic()
    while s.gateway.metric("fraud_gateway_unsent") or s.gateway.metric("fraud_gateway_undecided"):
        if time.monotonic() - began > 180:
            raise AssertionError(f"the journal is not drained (see {s.gateway.log})")
        time.sleep(1.1)
