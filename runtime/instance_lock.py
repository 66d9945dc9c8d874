"""One process per instance id: a lock beside the snapshots, which the kernel drops however the process ends.

Among processes that share the folder this refuses the second one at once. Where they do not share it, the brokers fence
the older one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import Fenced, Misconfigured


@contextmanager
def hold_instance_lock(folder: Path, instance: str) -> Iterator[None]:
    """Holds the instance's id for the block.

    Raises:
        Fenced: another process holds it.
        Misconfigured: the folder cannot be written.
    """
    path = folder / f"{instance}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Misconfigured(f"cannot write {path}: {error.strerror}: set FRAUD_SNAPSHOTS_DIR") from None
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Fenced(
                f"instance {instance} runs already, it holds {path}: give each process its own FRAUD_INSTANCE_ID"
            ) from None
        yield
    finally:
        os.close(held)


def running(folder: Path) -> list[str]:
    """The instances whose ids are held, in order; it sees those that share the folder."""
    return sorted(path.stem for path in folder.glob("*.lock") if _is_held(path))


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
