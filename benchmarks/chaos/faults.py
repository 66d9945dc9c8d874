"""The faults. Each hurts a running service under load and returns how long each recovery took, in seconds.

That is the time from the end of the fault to the next commit or, where the fault is a change of owner, the longest time
without any commit. After each the world must look as if nothing had happened; `benchmarks.chaos.verdict` looks.
"""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.chaos.process import ServiceProcess
from benchmarks.chaos.world import World
from deploy.kafka.broker import LocalBroker
from service.errors import Fenced
from tests.bundles import serve, write_bundle

RATE = 400.0
POISON = "77777.77"
"""Amount at which the second bundle's graph raises."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault works with.

    Attributes:
        world: its own topics.
        broker: that it may hurt.
        draw: seeded.
        kills: how often to kill, for the fault that does.
        scale: share of the full durations, for short versions.
    """

    world: World
    broker: LocalBroker
    draw: random.Random
    kills: int = 30
    scale: float = 1.0


def kill(scene: Scene) -> list[float]:
    """`kill -9` of the service at random moments."""
    world, service = scene.world, scene.world.service()
    service.start()
    recoveries = []
    with world.load(rate=RATE):
        world.until_moved(0)
        for _ in range(scene.kills):
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
    """The broker is killed in the midst of transactions."""
    world, service = scene.world, scene.world.service()
    service.start()
    recoveries = []
    with world.load(rate=RATE):
        world.until_moved(0)
        for _ in range(max(1, round(5 * scene.scale))):
            time.sleep(scene.draw.uniform(0.5, 2.0))
            scene.broker.kill()
            scene.broker.start()
            recoveries.append(world.until_moved(world.committed()))
    return _end(world, service, recoveries)


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
            code = one.wait(seconds=90)
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
            code = two.wait(seconds=90)
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
    """A batch takes longer than max_poll_interval."""
    world = scene.world
    service = world.service(max_poll_interval="7", session_timeout="30", transaction_timeout="15")
    service.start()
    recoveries = []
    with world.load(rate=RATE):
        world.until_moved(0)
        for _ in range(max(1, round(3 * scene.scale))):
            time.sleep(scene.draw.uniform(0.5, 2.0))
            service.signal(signal.SIGSTOP)
            time.sleep(9.0)
            service.signal(signal.SIGCONT)
            recoveries.append(world.until_moved(world.committed()))
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
        if service.wait(seconds=90) != 1:
            raise AssertionError(f"the service should have stopped with 1: {service.last_line()}")
        before = world.committed()
        service.start()
        if service.wait(seconds=90) != 1 or world.committed() > before + load.sent:
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
    "broker_stopped": (broker_stopped, 1),
    "broker_frozen": (broker_frozen, 1),
    "broker_killed": (broker_killed, 1),
    "stalled": (stalled, 2),
    "same_id": (same_id, 1),
    "same_id_here": (same_id_here, 1),
    "rebalance": (rebalance, 2),
    "slow_batch": (slow_batch, 1),
    "disk_full": (disk_full, 1),
    "pipeline_raises": (pipeline_raises, 1),
}
"""Each fault with the partitions of its world."""
