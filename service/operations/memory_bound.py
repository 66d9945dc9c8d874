"""The bound on the service's memory, which limits of containers must follow."""

from typing import Final

from fraud.history.history import HistoryConfig, most_bytes

GIB: Final = 1 << 30

PROGRAM: Final = GIB
"""Python, TensorFlow, two models, a batch, what the client has fetched: 0.6 GiB were measured, the rest is reserve."""


def most_memory(config: HistoryConfig, partitions: int) -> int:
    """Bytes with `partitions` full histories, all of them changing while their snapshots are written.

    The child that writes a snapshot holds every page as it was, so each page that changes meanwhile is there twice: at
    worst, under full load, all of them (docs/adr/0012-snapshots-by-fork.md).
    """
    return PROGRAM + 2 * partitions * most_bytes(config)
