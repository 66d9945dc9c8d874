"""The broker is stopped, frozen, killed or slow."""

import time
from collections.abc import Callable

from benchmarks.chaos.context import RATE, FaultContext, end
from benchmarks.chaos.rates import preload
from benchmarks.report import Figure
from local.broker.local_broker import LocalBroker

MOST_GROWTH_MB = 150.0
"""While the broker is slow: a batch in flight, fetched records behind it, and what the history itself takes in."""


def broker_stopped(context: FaultContext) -> list[float]:
    """The broker is stopped in order for a minute."""
    return _outage(context, LocalBroker.stop, 60.0)


def _outage(context: FaultContext, hurt: Callable[[LocalBroker], None], seconds: float) -> list[float]:
    scorer, service = context.scorer, context.scorer.service()
    service.start()
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        time.sleep(2)
        hurt(context.broker)
        time.sleep(seconds * context.scale)
        context.broker.start()
        recoveries = [scorer.until_moved(scorer.committed())]
    return end(scorer, service, recoveries)


def broker_frozen(context: FaultContext) -> list[float]:
    """The broker answers nothing for longer than any delivery is waited for; connections stay open."""
    scorer, service = context.scorer, context.scorer.service()
    service.start()
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        time.sleep(2)
        context.broker.pause()
        time.sleep(max(20.0, 25.0 * context.scale))
        context.broker.resume()
        recoveries = [scorer.until_moved(scorer.committed())]
    return end(scorer, service, recoveries)


def broker_killed(context: FaultContext) -> list[float]:
    """The broker is killed at random moments of a stream of transactions.

    One that is back within the client's patience is asked again for the commit in hand, and nothing is in doubt; a
    slow start leaves a commit in doubt. Both must lose and double nothing.
    """
    scorer, service = context.scorer, context.scorer.service()
    service.start()
    recoveries: list[float] = []
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        while len(recoveries) < max(2, round(10 * context.scale)):
            # Soon after the last recovery: there is a backlog then, and hardly a moment without a transaction.
            time.sleep(context.draw.uniform(0.0, 0.8))
            context.broker.kill()
            context.broker.start()
            recoveries.append(scorer.until_moved(scorer.committed()))
    return end(scorer, service, recoveries)


def broker_slow(context: FaultContext) -> list[float]:
    """The broker answers a fifth of the time, with much to do: memory must stay bounded."""
    scorer, service = context.scorer, context.scorer.service()
    preload(scorer, 100_000, seed=scorer.seed)
    service.start()
    scorer.until_moved(20_000)
    before = service.own_mb()
    seen: list[float] = []
    with scorer.load(rate=RATE), scorer.silences() as silences:
        for _ in range(round(40 * context.scale)):
            context.broker.pause()
            time.sleep(0.8)
            context.broker.resume()
            time.sleep(0.2)
            seen.append(service.own_mb())
    growth = max(seen) - before
    context.figures.append(Figure("broker_slow.memory_growth_mb", growth, "MB"))
    if growth > MOST_GROWTH_MB:
        raise AssertionError(f"memory grew by {growth:.0f} MB while the broker was slow")
    return end(scorer, service, [max(silences)])
