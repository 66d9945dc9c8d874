"""The broker is stopped, frozen, killed or slow."""

import time
from collections.abc import Callable

from benchmarks.chaos.context import RATE, Scene, end
from benchmarks.chaos.rates import preload
from benchmarks.report import Figure
from local.broker.local_broker import LocalBroker

MOST_GROWTH_MB = 150.0
"""While the broker is slow: a batch in flight, fetched records behind it, and what the history itself takes in."""


def broker_stopped(scene: Scene) -> list[float]:
    """The broker is stopped in order for a minute."""
    return _outage(scene, LocalBroker.stop, 60.0)


def _outage(scene: Scene, hurt: Callable[[LocalBroker], None], seconds: float) -> list[float]:
    world, service = scene.world, scene.world.service()
    service.start()
    with world.load(rate=RATE):
        world.until_moved(0)
        time.sleep(2)
        hurt(scene.broker)
        time.sleep(seconds * scene.scale)
        scene.broker.start()
        recoveries = [world.until_moved(world.committed())]
    return end(world, service, recoveries)


def broker_frozen(scene: Scene) -> list[float]:
    """The broker answers nothing for longer than any delivery is waited for; connections stay open."""
    world, service = scene.world, scene.world.service()
    service.start()
    with world.load(rate=RATE):
        world.until_moved(0)
        time.sleep(2)
        scene.broker.pause()
        time.sleep(max(20.0, 25.0 * scene.scale))
        scene.broker.resume()
        recoveries = [world.until_moved(world.committed())]
    return end(world, service, recoveries)


def broker_killed(scene: Scene) -> list[float]:
    """The broker is killed at random moments of a stream of transactions.

    One that is back within the client's patience is asked again for the commit in hand, and nothing is in doubt; a
    slow start leaves a commit in doubt. Both must lose and double nothing.
    """
    world, service = scene.world, scene.world.service()
    service.start()
    recoveries: list[float] = []
    with world.load(rate=RATE):
        world.until_moved(0)
        while len(recoveries) < max(2, round(10 * scene.scale)):
            # Soon after the last recovery: there is a backlog then, and hardly a moment without a transaction.
            time.sleep(scene.draw.uniform(0.0, 0.8))
            scene.broker.kill()
            scene.broker.start()
            recoveries.append(world.until_moved(world.committed()))
    return end(world, service, recoveries)


def broker_slow(scene: Scene) -> list[float]:
    """The broker answers a fifth of the time, with much to do: memory must stay bounded."""
    world, service = scene.world, scene.world.service()
    preload(world, 100_000, seed=world.seed)
    service.start()
    world.until_moved(20_000)
    before = service.own_mb()
    seen: list[float] = []
    with world.load(rate=RATE), world.silences() as silences:
        for _ in range(round(40 * scene.scale)):
            scene.broker.pause()
            time.sleep(0.8)
            scene.broker.resume()
            time.sleep(0.2)
            seen.append(service.own_mb())
    growth = max(seen) - before
    scene.figures.append(Figure("broker_slow.memory_growth_mb", growth, "MB"))
    if growth > MOST_GROWTH_MB:
        raise AssertionError(f"memory grew by {growth:.0f} MB while the broker was slow")
    return end(world, service, [max(silences)])
