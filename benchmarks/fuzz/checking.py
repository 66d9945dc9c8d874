"""Damaged files against those who read them, in a process of its own: a crash or a hang there is a finding, no end."""

import logging
import multiprocessing
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from benchmarks.fuzz.failures import WATCHER_ENDED, Failure
from benchmarks.fuzz.files import Case, case, loader_of

OURS: Final = ("fraud", "runtime", "service", "training")
"""An error of one of these packages' own, in one line, is a refusal; anything else is a crash."""

CRASH: Final = "crash"
CASE_SECONDS: Final = 90.0
START_SECONDS: Final = 300.0
CASES_A_PROCESS: Final = 150
"""TensorFlow keeps what it has loaded."""


@dataclass
class Checked:
    """What came of the damaged files."""

    files: int = 0
    refused: int = 0
    failures: list[Failure] = field(default_factory=list)


def run_files(folder: Path, *, seed: int, first: int, files: int, until: float) -> Checked:
    """Cases `first` to `first + files` of a seed, or as many as there is time for.

    Args:
        folder: for originals and copies.
        seed: of the damage.
        first: number of the first case.
        files: how many.
        until: on the monotonic clock, when to end at the latest.
    """
    from benchmarks.fuzz.loaders import write_originals

    originals = folder / "originals"
    if not originals.exists():
        write_originals(originals)
    checked, index, worker = Checked(), first, None
    try:
        while index < first + files and time.monotonic() < until:
            if worker is None or worker.served >= CASES_A_PROCESS:
                if worker is not None:
                    worker.end()
                worker = Worker(originals, folder / f"work-{index}", seed)
            said = worker.ask(index)
            checked.files += 1
            if said is None or said.startswith(CRASH):
                what = worker.died() if said is None else said
                checked.failures.append(Failure(seed, index, "file", worker.kind, what))
            if said is None or WATCHER_ENDED in said:
                worker.end()
                worker = None
            checked.refused += bool(said and said.startswith("refused"))
            index += 1
    finally:
        if worker is not None:
            worker.end()
    return checked


class Worker:
    """A process that reads damaged files, one after the other."""

    def __init__(self, originals: Path, work: Path, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, originals, work, seed), daemon=True)
        self._process.start()
        theirs.close()
        self._work = work
        self.kind = "unknown"
        self.served = 0
        if not self._pipe.poll(START_SECONDS) or self._pipe.recv() != "ready":
            raise AssertionError("the sound files cannot be read")

    def ask(self, index: int) -> str | None:
        """What came of a case; None when it never came back."""
        self.served += 1
        self._pipe.send(index)
        with suppress(EOFError, OSError):
            if self._pipe.poll(CASE_SECONDS):
                self.kind = self._pipe.recv()
                if self._pipe.poll(CASE_SECONDS):
                    return str(self._pipe.recv())
        return None

    def died(self) -> str:
        """Why it never came back."""
        self._process.join(5)
        code = self._process.exitcode
        return f"no answer in {CASE_SECONDS:.0f} s" if code is None else f"the process ended with {code}"

    def end(self) -> None:
        """Ends it, and removes what it left."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        shutil.rmtree(self._work, ignore_errors=True)


def serve(pipe: Connection, originals: Path, work: Path, seed: int) -> None:
    """Answers cases until it is killed: first what the case is, then what came of it."""
    from benchmarks.fuzz.loaders import loaders

    logging.disable(logging.CRITICAL)
    _quiet()
    work.mkdir(parents=True)
    known = loaders(work)
    sound = {}
    for name, load in known.items():
        with _copy(originals / name, work / "case") as copy:
            sound[name] = load(copy)
        assert name in {"rates", "serving"} or sound[name] is not None, f"the sound {name} is refused"
    pipe.send("ready")
    while True:
        index = pipe.recv()
        name = loader_of(seed, index)
        with _copy(originals / name, work / "case") as copy:
            made = case(seed, index, copy)
            pipe.send(str(made))
            pipe.send(_judged(known[name], copy, made, sound[name]))


def _judged(load: Callable[[Path], object], copy: Path, made: Case, sound: object) -> str:
    from benchmarks.fuzz.loaders import Changed, Died, compare

    try:
        compare(made.loader, made.how, sealed=made.sealed, sound=sound, found=load(copy))
    except (Changed, Died) as error:
        return f"{CRASH}: {error}"
    except Exception as error:  # noqa: BLE001 - what kind it is decides
        text = str(error).strip()
        named = isinstance(error, OSError) and error.filename is not None  # which the programs show as one line
        if (named or type(error).__module__.split(".")[0] in OURS) and text and "\n" not in text:
            return f"refused: {text}"
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if any(f"/{package}/" in frame.filename for package in OURS)]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        return f"{CRASH}: {type(error).__name__} at {place}: {' '.join(text.split())[:200]}"
    return "taken"


@contextmanager
def _copy(original: Path, place: Path) -> Iterator[Path]:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(original, place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _quiet() -> None:
    """Refusals are expected by the thousand: nobody would read their log lines."""
    import structlog

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[lambda *_: ""])
