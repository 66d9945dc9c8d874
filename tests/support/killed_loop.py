"""A loop over files that works until it is killed: `python -m tests.support.killed_loop FOLDER SEED KILLS`.

The parent imports everything once, then forks: each child turns the real loop until it is killed at a random moment,
and the next one goes on from what is on the disk. Only learning itself is left out: a candidate is a copy of one model.
"""

import hashlib
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
from prometheus_client import CollectorRegistry

from fraud.contracts.outbound import Announcement
from fraud.models.bundle import read_manifest
from tests.support.published_models import publish
from tests.support.shop_tables import T0, events_table
from training.data.feature_context import FeatureContext
from training.data.files.json_lines import to_wire
from training.gate.rule import Finding, GateAnswer, Judgement
from training.labels.store import LedgerStore, Record
from training.loop.config import LoopConfig
from training.loop.ledger_view import LedgerView
from training.loop.metrics import LoopMetrics
from training.loop.runner import Loop
from training.loop.state import BegunRun, LoopState, load_state
from training.loop.training_run import RunResult, Trainer, fingerprint_of
from training.registry import versions as registry

DAY: Final = 86_400_000_000
START: Final = T0 + 30 * DAY
LABELS_A_PULL: Final = 5


@dataclass(frozen=True, slots=True)
class FileFeed:
    """A topic that never ends: label i, five at each pull, from where the ledger says it got to."""

    def pull(self, store: LedgerStore) -> int:
        """Appends the next labels, and the payments at the first pull."""
        if not store.progress("events"):
            table = events_table()
            rows = zip(table["event_time"].cast(pa.int64()).to_pylist(), to_wire(table), strict=True)
            store.append("events", [Record(0, i, at, "c", value) for i, (at, value) in enumerate(rows)])
        first = store.progress("labels").get(0, 0)
        store.append("labels", [label(i) for i in range(first, first + LABELS_A_PULL)])
        return LABELS_A_PULL

    def close(self) -> None:
        """Holds nothing."""


def label(number: int) -> Record:
    """The label at an offset: fraud on one payment in six, received one after the other."""
    at = START + number * 1_000_000
    said = {
        "schema_version": "1.0",
        "label_id": f"l{number}",
        "transaction_id": f"t{number % 60}",
        "verdict": "genuine" if number % 6 else "unauthorised",
        "source": "analyst",
        "occurred_at": time_of(at),
        "received_at": time_of(at),
    }
    return Record(0, number, at, f"t{number % 60}", msgspec.json.encode(said))


def time_of(micros: int) -> str:
    """ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(micros // 1_000_000))


@dataclass(frozen=True, slots=True)
class FileAnnouncer:
    """Appends announcements to a file, each on the disk before it returns."""

    path: Path

    def announce(self, announcement: Announcement) -> None:
        """One line."""
        with self.path.open("ab") as file:
            file.write(announcement.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Copier(Trainer):
    """Publishes a copy of a model that is ready, by the registry's own moves; the gate accepts two in three."""

    def run(self, view: LedgerView, state: LoopState, begun: BegunRun) -> RunResult:  # noqa: ARG002 - the trainer's signature
        """A candidate, as `training.modelling.export` publishes one."""
        (ready,) = (self.root.parent / "ready").iterdir()
        built = registry.workspace(self.root)
        shutil.copytree(ready, built, dirs_exist_ok=True)

        def finish(version: int) -> None:
            files = {f: hashlib.sha256((built / f).read_bytes()).hexdigest() for f in read_manifest(ready).files}
            manifest = read_manifest(ready).model_copy(update={"version": version, "files": files})
            (built / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")

        number = registry.publish(self.root, built, "candidates", finish)
        said = GateAnswer.ACCEPT if begun.number % 3 else GateAnswer.REFUSE
        judgement = Judgement(said, "because", (Finding("better", said, "because", {}),))
        champion = registry.champion(self.root, fingerprint_of(self.context))
        return RunResult(number, champion, judgement, "ready", {"labels": len(view.labels)}, {"recall": 0.5})


def loop_over(folder: Path) -> Loop:
    """The loop on what is in a folder."""
    config = LoopConfig(cooldown=0, interval=1, new_frauds=1, keep_versions=2, window=400 * DAY, retention=400 * DAY)
    return Loop(
        feed=FileFeed(),
        store=LedgerStore(folder / "ledger"),
        trainer=Copier(folder / "models", FeatureContext(), config),
        announcer=FileAnnouncer(folder / "announced.jsonl"),
        metrics=LoopMetrics(CollectorRegistry()),
        folder=folder,
    )


def prepare(folder: Path) -> None:
    """A small model whose copies are the candidates."""
    version = publish(folder / "made", "amount")
    (folder / "ready").mkdir()
    registry.find(folder / "made", version)[1].rename(folder / "ready" / str(version))


def turn(loop: Loop) -> None:
    """One turn, at the time of the newest label."""
    records = loop.pull()
    now = START + loop.store.progress("labels")[0] * 1_000_000
    loop.turn(now, records=records)
    loop.tidy(now)


def main(folder: Path, seed: int, kills: int) -> None:
    """Kills so many children."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(kills):
        finished = load_state(folder).runs
        child = os.fork()
        if child == 0:
            loop = loop_over(folder)
            while True:
                turn(loop)
        # Half of the children get far enough to finish a run first; none is let end by itself.
        patience = time.monotonic() + dice.choice([0.0, 30.0])
        while load_state(folder).runs == finished and time.monotonic() < patience:
            time.sleep(0.005)
        time.sleep(dice.uniform(0.0, 0.6))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"a loop ended by itself, with {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
