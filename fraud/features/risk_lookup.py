"""Looking risks up, compiled: an event has a look-up for every entity and category, and may come alone."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled

_ZERO = np.uint64(0)


class Joined(NamedTuple):
    """All tables of an entity, in the order of their dates."""

    dates: npt.NDArray[np.int64]  # [t]: when each takes effect, ascending
    starts: npt.NDArray[np.int64]  # [t + 1]: where its keys begin
    keys: npt.NDArray[np.uint64]  # [k]: ascending within a table
    risk: npt.NDArray[np.float32]  # [k, windows]


@compiled
def look_up(
    tables: Joined, ids: npt.NDArray[np.uint64], times: npt.NDArray[np.int64], found: npt.NDArray[np.float32]
) -> None:
    """Each id's risks in the newest table with a date at or before its time.

    Args:
        tables: of the entity.
        ids: uint64 [n], 0 where absent.
        times: int64 [n].
        found: out, float32 [n, windows]: 1 where the table does not know the id; left as it is before the first table
            and where the id is absent.
    """
    for row in range(ids.size):
        low, high = 0, tables.dates.size
        while low < high:
            middle = (low + high) // 2
            if tables.dates[middle] <= times[row]:
                low = middle + 1
            else:
                high = middle
        if low == 0 or ids[row] == _ZERO:
            continue
        first, last = tables.starts[low - 1], tables.starts[low]
        end = last
        while first < last:
            middle = (first + last) // 2
            if tables.keys[middle] < ids[row]:
                first = middle + 1
            else:
                last = middle
        known = first < end and tables.keys[first] == ids[row]
        for window in range(found.shape[1]):
            found[row, window] = tables.risk[first, window] if known else 1.0
