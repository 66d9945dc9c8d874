"""The faults. Each hurts a running service under load and returns how long each recovery took, in seconds.

That is the time from the end of the fault to the next commit or, where the fault is a change of owner, the longest time
without any commit. After each the world must look as if nothing had happened; `benchmarks.chaos.verdict` looks.
"""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.chaos.process import ServiceProcess
from benchmarks.chaos.rates import preload
from benchmarks.chaos.world import World
from benchmarks.report import Figure
from deploy.kafka.broker import LocalBroker
from service.errors import Fenced
from tests.bundles import serve, write_bundle

RATE = 400.0
POISON = "77777.77"
"""Amount at which the second bundle's graph raises."""

SLOW = "66666.66"
SLOW_SECONDS = 16.0
"""Amount at which a bundle's graph takes so long: longer than max_poll_interval and the session together."""

MOST_GROWTH_MB = 150.0
"""While the broker is slow: a batch in flight, fetched records behind it, and what the history itself takes in."""

IN_DOUBT = "commit in doubt"
"""What the service logs when a commit has failed."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault works with.

    Attributes:
        world: its own topics.
        broker: that it may hurt.
        draw: seeded.
        kills: how often to kill, for the fault that does.
        scale: share of the full durations, for short versions.
        figures: what a fault tells beside its recoveries.
    """

    world: World
    broker: LocalBroker
    draw: random.Random
    kills: int = 30
    scale: float = 1.0
    figures: list[Figure] = field(default_factory=list)


def kill(scene: Scene) -> list[float]:
    """`kill -9` of the service at random moments."""
    return _kill(scene, scene.world.service(), scene.kills)


def at_least_once(scene: Scene) -> list[float]:
    """The same to a service that promises less: some outputs may come twice, none may be lost."""
    return _kill(scene, scene.world.service(delivery="at_least_once"), max(1, scene.kills // 3))


def _kill(scene: Scene, service: ServiceProcess, times: int) -> list[float]:
    world = scene.world
    service.start()
    recoveries = []
    with world.load(rate=RATE):
        world.until_moved(0)
        for _ in range(times):
            time.sleep(scene.draw.uniform(0.2, 2.0))
            service.kill()
            before = world.committed()
            service.start()
            recoveries.append(world.until_moved(before))
    return _end(world, service, recoveries)


def broker_stopped(scene: Scene) -> list[float]:
    """The broker is stopped in order for a minute."""
    return _outage(scene, LocalBroker.stop, 60.0)


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
    return _end(world, service, recoveries)


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
    return _end(world, service, recoveries)


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
    return _end(world, service, [max(silences)])


def stalled(scene: Scene) -> list[float]:
    """The service is frozen for longer than its session, while another takes its partition over."""
    world = scene.world
    one, two = world.service("one"), world.service("two")
    one.start()
    two.start()
    recoveries = []
    with world.load(rate=RATE):
        one.ready()
        two.ready()
        world.until_moved(0)
        for _ in range(max(1, round(3 * scene.scale))):
            with world.silences() as silences:
                one.signal(signal.SIGSTOP)
                time.sleep(17.0)
                one.signal(signal.SIGCONT)
                time.sleep(6.0)
            recoveries.append(max(silences))
    return _end(world, one, recoveries, two)


def same_id(scene: Scene) -> list[float]:
    """Two processes with one instance id, on two machines as it were: the older one is fenced and says so."""
    world = scene.world
    one, two = world.service("one"), world.service("one", snapshots="elsewhere")
    one.start()
    with world.load(rate=RATE):
        world.until_moved(0)
        with world.silences() as silences:
            two.start()
            code = one.wait()
            if code != Fenced.code or "instance's id" not in one.log.read_text():
                raise AssertionError(f"the fenced process ended with {code}: {one.last_line()}")
            world.until_moved(world.committed())
    return _end(world, two, [max(silences)])


def same_id_here(scene: Scene) -> list[float]:
    """A second process with the same instance id beside the first: it is refused at once."""
    world = scene.world
    one, two = world.service("one"), world.service("one")
    one.start()
    with world.load(rate=RATE):
        world.until_moved(0)
        with world.silences() as silences:
            two.start()
            code = two.wait()
            if code != Fenced.code or "one" not in two.log.read_text():
                raise AssertionError(f"the second process ended with {code}: {two.last_line()}")
            world.until_moved(world.committed())
    return _end(world, one, [max(silences)])


def rebalance(scene: Scene) -> list[float]:
    """Two instances join and leave while events stream."""
    world = scene.world
    one, two = world.service("one"), world.service("two")
    one.start()
    recoveries = []
    with world.load(rate=RATE):
        world.until_moved(0)
        for _ in range(max(1, round(3 * scene.scale))):
            with world.silences() as silences:
                two.start()
                two.ready()
                time.sleep(scene.draw.uniform(1, 3))
                if scene.draw.random() < 0.5:
                    two.kill()
                elif two.stop() != 0:
                    raise AssertionError(f"the second instance did not stop in order: {two.last_line()}")
                time.sleep(scene.draw.uniform(1, 3))
            recoveries.append(max(silences))
    return _end(world, one, recoveries)


def slow_batch(scene: Scene) -> list[float]:
    """A batch takes so long that the group moves on without this instance."""
    world = scene.world
    models = world.folder / "models"
    write_bundle(models, 1, slow=(float(SLOW), SLOW_SECONDS))
    serve(models, 1)
    service = world.service(models_dir=str(models), max_poll_interval="6", session_timeout="6")
    service.start()
    recoveries = []
    with world.load(rate=RATE) as load:
        world.until_moved(0)
        for _ in range(max(1, round(3 * scene.scale))):
            time.sleep(scene.draw.uniform(0.5, 2.0))
            with world.silences() as silences:
                load.poison(SLOW)
                time.sleep(SLOW_SECONDS + 4.0)
                world.until_moved(world.committed())
            recoveries.append(max(silences) - SLOW_SECONDS)
    _felt(service, IN_DOUBT)
    return _end(world, service, recoveries)


def disk_full(scene: Scene) -> list[float]:
    """Snapshots cannot be written; then the service is killed and must do without."""
    world = scene.world
    service = world.service(largest_file=4096, snapshot_interval="1")
    service.start()
    with world.load(rate=RATE):
        service.ready()
        world.until_moved(0)
        time.sleep(4)
        if service.metric("fraud_snapshot_failures_total") < 1:
            raise AssertionError("no snapshot failed, although none can be written")
        service.kill()
        before = world.committed()
        service.start()
        recoveries = [world.until_moved(before)]
    return _end(world, service, recoveries)


def pipeline_raises(scene: Scene) -> list[float]:
    """A batch makes the model raise: the service stops uncommitted, until another version serves."""
    world = scene.world
    models = world.folder / "models"
    write_bundle(models, 1, poison=float(POISON))
    write_bundle(models, 2)
    serve(models, 1)
    service = world.service(models_dir=str(models))
    service.start()
    with world.load(rate=RATE) as load:
        world.until_moved(0)
        load.poison(POISON)
        if service.wait() != 1:
            raise AssertionError(f"the service should have stopped with 1: {service.last_line()}")
        before = world.committed()
        service.start()
        if service.wait() != 1 or world.committed() > before + load.sent:
            raise AssertionError(f"the service should have stopped again: {service.last_line()}")
        serve(models, 2)
        before = world.committed()
        service.start()
        recoveries = [world.until_moved(before)]
    return _end(world, service, recoveries)


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
    return _end(world, service, recoveries)


def _felt(service: ServiceProcess, line: str) -> None:
    """Makes sure that a fault hit what it aims at: the service's log tells."""
    if line not in service.log.read_text():
        raise AssertionError(f"the fault was not felt: {line!r} is not in {service.log}")


def _end(world: World, service: ServiceProcess, recoveries: list[float], *others: ServiceProcess) -> list[float]:
    """Lets everything be processed, then stops in order."""
    world.until_caught_up()
    for instance in (*others, service):
        code = instance.stop()
        if code != 0:
            raise AssertionError(f"{instance.log.name} ended with {code}: {instance.last_line()}")
    return recoveries


FAULTS: dict[str, tuple[Callable[[Scene], list[float]], int]] = {
    "kill": (kill, 1),
    "at_least_once": (at_least_once, 1),
    "broker_stopped": (broker_stopped, 1),
    "broker_frozen": (broker_frozen, 1),
    "broker_killed": (broker_killed, 1),
    "broker_slow": (broker_slow, 1),
    "stalled": (stalled, 2),
    "same_id": (same_id, 1),
    "same_id_here": (same_id_here, 1),
    "rebalance": (rebalance, 2),
    "slow_batch": (slow_batch, 1),
    "disk_full": (disk_full, 1),
    "pipeline_raises": (pipeline_raises, 1),
}
"""Each fault with the partitions of its world."""

MAY_DOUBLE = frozenset({"at_least_once"})
