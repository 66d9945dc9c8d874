"""The loop's state between two turns, in one file that is replaced as a whole."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from fraud.contracts.outbound import Announcement, Move
from runtime.files import write_json

STATE: Final = "state.json"


class InvalidState(Exception):  # noqa: N818 - named for what it says
    """A state file that cannot be read; one line."""


class BegunRun(BaseModel):
    """A run that has begun; after a crash it goes on with the same facts.

    Attributes:
        number: of the run.
        at: its present, µs.
        why: what triggered it.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    at: int
    why: str


class ServingPeriod(BaseModel):
    """A champion, or a shadow on probation.

    Attributes:
        version: its number.
        since: when it began, µs.
        former: who served before, None where nobody did.
        promised: what its evaluation promised: figure -> value.
        alerts: least and most share of payments that the gate expects it to flag; None where it did not say.
        raises: whether it takes the place of the best champion so far as well, once it serves.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    since: int
    former: int | None = None
    promised: dict[str, float] = {}
    alerts: tuple[float, float] | None = None
    raises: bool = False


class PendingMove(BaseModel):
    """A move in the model directory that is being made; after a crash it is made to its end.

    Attributes:
        type: what it is.
        version: who is to serve, or to shadow; None for a rollback: the directory says who.
        former: who served before the move began.
        at: when, µs.
        reason: one line.
        run: of the loop.
        promised: figures of the version.
        alerts, raises: see `ServingPeriod`.
    """

    model_config = ConfigDict(frozen=True)

    type: Move
    version: int | None
    former: int | None
    at: int
    reason: str
    run: int = 0
    promised: dict[str, float] = {}
    alerts: tuple[float, float] | None = None
    raises: bool = False


class LoopState(BaseModel):
    """Everything that is not in the ledger or the model directory.

    Attributes:
        runs: finished runs.
        last_run: when the last one took place, µs.
        frauds_then: frauds known at that time.
        labels_then: labels received by that time.
        trusted: labels received until then looked sane, µs; later ones are compared with them.
        unfinished: a run that has begun.
        serving: the champion that the loop put there last.
        probation: the shadow that waits to take over.
        best: the best champion so far: none may ever stand behind it by more than the gate's margin.
        looked: when the payments were last looked at for drift, µs.
        sampling: whether drift without labels asks for more review sampling.
        moving: a move that has begun.
        outbox: announcements that are to be sent, oldest first.
    """

    model_config = ConfigDict(frozen=True)

    runs: int = 0
    last_run: int | None = None
    frauds_then: int = 0
    labels_then: int = 0
    trusted: int | None = None
    unfinished: BegunRun | None = None
    serving: ServingPeriod | None = None
    probation: ServingPeriod | None = None
    best: int | None = None
    looked: int | None = None
    sampling: bool = False
    moving: PendingMove | None = None
    outbox: tuple[Announcement, ...] = ()


def load_state(folder: Path) -> LoopState:
    """The state, or a new one."""
    path = folder / STATE
    try:
        return LoopState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return LoopState()
    except ValidationError as error:
        raise InvalidState(f"{path} is broken ({error.error_count()} errors): remove it to begin anew") from None


def save_state(folder: Path, state: LoopState) -> None:
    """Replaces the file in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / STATE, state.model_dump(mode="json"))
