"""Instances of the service are killed, frozen, doubled, or come and go."""

import signal
import time

from benchmarks.chaos.context import RATE, Scene, end
from local.service_process import ServiceProcess
from runtime.errors import Fenced


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
    return end(world, service, recoveries)


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
    return end(world, one, recoveries, two)


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
    return end(world, two, [max(silences)])


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
    return end(world, one, [max(silences)])


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
    return end(world, one, recoveries)
