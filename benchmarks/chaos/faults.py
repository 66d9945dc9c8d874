"""The faults. Each hurts a running service under load and returns how long each recovery took, in seconds.

That is the time from the end of the fault to the next commit or, where the fault is a change of owner, the longest time
without any commit. After each the topics must look as if nothing had happened; `local.testbed.delivery_check` looks.
"""

from collections.abc import Callable

from benchmarks.chaos.broker_faults import broker_frozen, broker_killed, broker_slow, broker_stopped
from benchmarks.chaos.context import FaultContext
from benchmarks.chaos.inner_faults import disk_full, pipeline_raises, slow_batch
from benchmarks.chaos.instance_faults import at_least_once, kill, rebalance, same_id, same_id_here, stalled

FAULTS: dict[str, tuple[Callable[[FaultContext], list[float]], int]] = {
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
"""Each fault with the partitions of its topics."""

MAY_DOUBLE = frozenset({"at_least_once"})
