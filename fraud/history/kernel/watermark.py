"""The watermark: the event time that a partition has come to, by its log alone.

Once `AGREEING` events in a row were dated after the present watermark, it moves to the earliest of them. So one event
of a wrong clock moves nothing, however far ahead it is dated; after a quiet night a few events pass until the watermark
has followed. docs/adr/0016-a-watermark-that-events-agree-on.md says why.
"""

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.history.kernel.layout import AGREEING, LEAD, Counter, Int

_WATERMARK, _NEWEST, _RUN, _EARLIEST = Counter.WATERMARK, Counter.NEWEST, Counter.RUN, Counter.EARLIEST


@compiled
def follow(counters: npt.NDArray[np.int64], time: Int) -> None:
    """Take in one event's time."""
    run = counters[_RUN]
    if run < 0:  # nothing to compare with yet: the earliest of the first events
        counters[_WATERMARK] = min(counters[_WATERMARK], time)
        counters[_RUN] = run + 1
    elif time <= counters[_WATERMARK]:
        counters[_RUN] = 0
    else:
        earliest = min(time, counters[_EARLIEST]) if run > 0 else time
        counters[_EARLIEST] = earliest
        counters[_RUN] = run + 1
        if run + 1 == AGREEING:
            counters[_WATERMARK] = earliest
            counters[_RUN] = 0
    # Among the first events the watermark may fall, and with it what was counted before.
    counters[_NEWEST] = min(counters[_NEWEST], counters[_WATERMARK] + LEAD)


@compiled
def counted_until(counters: npt.NDArray[np.int64]) -> Int:
    """The latest time at which anything is counted."""
    return np.int64(counters[_WATERMARK] + LEAD)
