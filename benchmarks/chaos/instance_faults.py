"""Instances of the service are killed, frozen, doubled, or come and go."""

import signal
import time

from benchmarks.chaos.context import RATE, FaultContext, end
from local.service_process import ServiceProcess
from runtime.errors import Fenced


def kill(context: FaultContext) -> list[float]:
    """`kill -9` of the service at random moments."""
    return _kill(context, context.scorer.service(), context.kills)


def at_least_once(context: FaultContext) -> list[float]:
    """The same to a service that promises less: some outputs may come twice, none may be lost."""
    return _kill(context, context.scorer.service(delivery="at_least_once"), max(1, context.kills // 3))


def _kill(context: FaultContext, service: ServiceProcess, times: int) -> list[float]:
    scorer = context.scorer
    service.start()
    recoveries = []
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        for _ in range(times):
            time.sleep(context.draw.uniform(0.2, 2.0))
            service.kill()
            before = scorer.committed()
            service.start()
            recoveries.append(scorer.until_moved(before))
    return end(scorer, service, recoveries)


def stalled(context: FaultContext) -> list[float]:
    """The service is frozen for longer than its session, while another takes its partition over."""
    scorer = context.scorer
    one, two = scorer.service("one"), scorer.service("two")
    one.start()
    two.start()
    recoveries = []
    with scorer.load(rate=RATE):
        one.ready()
        two.ready()
        scorer.until_moved(0)
        for _ in range(max(1, round(3 * context.scale))):
            with scorer.silences() as silences:
                one.signal(signal.SIGSTOP)
                time.sleep(17.0)
                one.signal(signal.SIGCONT)
                time.sleep(6.0)
            recoveries.append(max(silences))
    return end(scorer, one, recoveries, two)


def same_id(context: FaultContext) -> list[float]:
    """Two processes with one instance id, on two machines as it were: the older one is fenced and says so."""
    scorer = context.scorer
    one, two = scorer.service("one"), scorer.service("one", snapshots="elsewhere")
    one.start()
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        with scorer.silences() as silences:
            two.start()
            code = one.wait()
            if code != Fenced.code or "instance's id" not in one.log.read_text():
                raise AssertionError(f"the fenced process ended with {code}: {one.last_line()}")
            scorer.until_moved(scorer.committed())
    return end(scorer, two, [max(silences)])


def same_id_here(context: FaultContext) -> list[float]:
    """A second process with the same instance id beside the first: it is refused at once."""
    scorer = context.scorer
    one, two = scorer.service("one"), scorer.service("one")
    one.start()
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        with scorer.silences() as silences:
            two.start()
            code = two.wait()
            if code != Fenced.code or "one" not in two.log.read_text():
                raise AssertionError(f"the second process ended with {code}: {two.last_line()}")
            scorer.until_moved(scorer.committed())
    return end(scorer, one, [max(silences)])


def rebalance(context: FaultContext) -> list[float]:
    """Two instances join and leave while events stream."""
    scorer = context.scorer
    one, two = scorer.service("one"), scorer.service("two")
    one.start()
    recoveries = []
    with scorer.load(rate=RATE):
        scorer.until_moved(0)
        for _ in range(max(1, round(3 * context.scale))):
            with scorer.silences() as silences:
                two.start()
                two.ready()
                time.sleep(context.draw.uniform(1, 3))
                if context.draw.random() < 0.5:
                    two.kill()
                elif two.stop() != 0:
                    raise AssertionError(f"the second instance did not stop in order: {two.last_line()}")
                time.sleep(context.draw.uniform(1, 3))
            recoveries.append(max(silences))
    return end(scorer, one, recoveries)
