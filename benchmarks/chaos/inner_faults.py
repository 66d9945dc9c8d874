"""Faults within the service: a batch takes too long or raises, snapshots find no room."""

import time

from benchmarks.chaos.context import RATE, FaultContext, end, ensure_logged
from local.testbed.bundles import serve, write_bundle

POISON = "77777.77"
"""Amount at which the second bundle's graph raises."""

SLOW = "66666.66"
SLOW_SECONDS = 16.0
"""Amount at which a bundle's graph takes so long: longer than max_poll_interval and the session together."""

LARGEST_FILE = 1 << 20
"""Bytes: a bundle's files fit, which are copied before they are loaded; a snapshot does not."""

PATIENCE_SECONDS = 60.0
"""Within which a snapshot is tried that is due each second, however busy the machine."""

IN_DOUBT = "commit in doubt"
"""What the service logs when a commit has failed."""


def slow_batch(context: FaultContext) -> list[float]:
    """A batch takes so long that the group moves on without this instance."""
    scorer = context.scorer
    models = scorer.folder / "models"
    write_bundle(models, 1, slow=(float(SLOW), SLOW_SECONDS))
    serve(models, 1)
    service = scorer.service(models_dir=str(models), max_poll_interval="6", session_timeout="6")
    service.start()
    recoveries = []
    with scorer.load(rate=RATE) as load:
        scorer.until_moved(0)
        for _ in range(max(1, round(3 * context.scale))):
            time.sleep(context.draw.uniform(0.5, 2.0))
            with scorer.silences() as silences:
                load.poison(SLOW)
                time.sleep(SLOW_SECONDS + 4.0)
                scorer.until_moved(scorer.committed())
            recoveries.append(max(silences) - SLOW_SECONDS)
    ensure_logged(service, IN_DOUBT)
    return end(scorer, service, recoveries)


def disk_full(context: FaultContext) -> list[float]:
    """Snapshots cannot be written; then the service is killed and must do without."""
    scorer = context.scorer
    service = scorer.service(largest_file=LARGEST_FILE, snapshot_interval="1")
    service.start()
    with scorer.load(rate=RATE):
        service.ready()
        scorer.until_moved(0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while service.metric("fraud_snapshot_failures_total") < 1:
            if time.monotonic() > deadline:
                raise AssertionError("no snapshot failed, although none can be written")
            time.sleep(0.5)
        service.kill()
        before = scorer.committed()
        service.start()
        recoveries = [scorer.until_moved(before)]
    return end(scorer, service, recoveries)


def pipeline_raises(context: FaultContext) -> list[float]:
    """A batch makes the model raise: the service stops uncommitted, until another version serves."""
    scorer = context.scorer
    models = scorer.folder / "models"
    write_bundle(models, 1, poison=float(POISON))
    write_bundle(models, 2)
    serve(models, 1)
    service = scorer.service(models_dir=str(models))
    service.start()
    with scorer.load(rate=RATE) as load:
        scorer.until_moved(0)
        load.poison(POISON)
        if service.wait() != 1:
            raise AssertionError(f"the service should have stopped with 1: {service.last_line()}")
        before = scorer.committed()
        service.start()
        if service.wait() != 1 or scorer.committed() > before + load.sent:
            raise AssertionError(f"the service should have stopped again: {service.last_line()}")
        serve(models, 2)
        before = scorer.committed()
        service.start()
        recoveries = [scorer.until_moved(before)]
    return end(scorer, service, recoveries)
