"""A failure, and the command that runs its one case again."""

from dataclasses import dataclass
from typing import Final

import msgspec

from local.service_process import ServiceProcess

WATCHER_ENDED: Final = "the thread that watches for models has ended"


@dataclass(frozen=True, slots=True)
class Failure:
    """One case that did what no input may do.

    Attributes:
        seed, index: of the case.
        part: "record", "label", "decision", "event" or "file".
        kind: how it was made.
        what: one line: what happened.
    """

    seed: int
    index: int
    part: str
    kind: str
    what: str

    def __str__(self) -> str:
        """One line that says how to see it again."""
        again = f"python -m benchmarks.fuzz --replay {self.seed}:{self.index} --part {self.part}"
        return f"{self.part} {self.seed}:{self.index} ({self.kind}): {self.what}\n    again: {again}"


def last_words(process: ServiceProcess) -> str:
    """What a program's log ends with: of a JSON line the event, and the last line of its error."""
    lines = process.log.read_text(errors="replace").strip().splitlines()
    try:
        line = msgspec.json.decode(lines[-1] if lines else b"", type=dict[str, object])
    except msgspec.DecodeError:
        return process.last_line()
    trouble = str(line.get("exception") or line.get("error") or "").strip().splitlines()
    return ": ".join((str(line.get("event")), *trouble[-1:]))[:300]
