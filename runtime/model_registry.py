"""Which version of the model serves, changed under the directory's lock: by training, and by whoever rolls back.

`serving.json` keeps, beside champion and shadow, the former champions (`previous`, newest first): rolling back is
one replacement of one file.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from fraud.models.bundle import BLESSED
from fraud.models.serving import SERVING, Serving, Slot
from runtime.files import write_json

ROLLED_BACK: Final = "ROLLED_BACK.json"


class RegistryError(Exception):
    """A move that cannot be made; the text is one line: what, where, and how to mend it."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Holds the directory's lock; waits for whoever has it. It ends with the process, however that ends."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_slots(root: Path) -> Serving:
    """`serving.json` with its history; empty when nothing was promoted yet."""
    path = root / SERVING
    try:
        return Serving.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Serving({})
    except ValidationError as error:
        raise RegistryError(f"{path} is broken ({error.error_count()} errors): restore it from a copy") from None


def rollback(
    root: Path, features_fingerprint: str, *, reason: str, at: str, failed: int | None = None
) -> tuple[int, int]:
    """Puts the former champion back; the one that failed keeps a note and is not put back by later rollbacks.

    Args:
        root: the model directory.
        features_fingerprint: whose champion.
        reason: why, for the note.
        at: ISO 8601.
        failed: the champion that somebody looked at; None takes whichever serves.

    Returns:
        (the version that failed, the version that serves now).

    Raises:
        RegistryError: nothing was promoted, another one than `failed` serves by now, or no former champion is left.
    """
    with locked(root):
        slots = dict(read_slots(root).root)
        slot = slots.get(features_fingerprint)
        if slot is None:
            raise RegistryError(f"{root / SERVING} names no champion for features {features_fingerprint}")
        if failed not in {None, slot.champion}:
            raise RegistryError(f"version {slot.champion} serves by now, not {failed}: look again")
        usable = [n for n in slot.previous if (root / str(n) / BLESSED).is_file()]
        if not usable:
            raise RegistryError(f"no former champion of version {slot.champion} is left in {root}: promote another")
        write_json(root / str(slot.champion) / ROLLED_BACK, {"at": at, "reason": reason})
        shadow = None if slot.shadow == usable[0] else slot.shadow
        slots[features_fingerprint] = Slot(champion=usable[0], shadow=shadow, previous=tuple(usable[1:]))
        write_slots(root, slots)
    return slot.champion, usable[0]


def write_slots(root: Path, slots: Mapping[str, Slot]) -> None:
    """Replaces `serving.json`; hold the lock since the slots were read."""
    write_json(root / SERVING, {name: slot.model_dump(mode="json") for name, slot in slots.items()})
