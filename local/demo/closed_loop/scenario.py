"""A scenario of the closed loop (sizes, days), and the simulated stream that it runs on."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from local.programs import run_program

DAY_US: Final = 86_400_000_000
START: Final = datetime(2025, 1, 6, tzinfo=UTC)
START_US: Final = int(START.timestamp() * 1e6)
NEW_PATTERN: Final = "gift_card_mule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How much of everything, and when; days since the start.

    Attributes:
        transactions: of the platform, over all days.
        days: length of the scenario.
        live: day on which the service goes live.
        pattern: day on which the new pattern begins.
        step: days between two looks of loop and analysts.
        base_rate: share of fraud before the new pattern.
        pattern_share: share of that rate which the new pattern adds.
        alert_share: alert budget, as a share of payments.
        margin: how much worse than the champion a candidate may be shown to be.
        new_frauds: known frauds that make a run due.
        strategy: how the loop adapts.
        source: transactions of the source platform, where a base must be made first.
        seed: of everything drawn.
    """

    transactions: int = 60_000
    days: int = 240
    live: int = 140
    pattern: int = 160
    step: int = 10
    base_rate: float = 0.02
    pattern_share: float = 0.5
    alert_share: float = 0.04
    margin: float = 0.1
    new_frauds: int = 40
    strategy: str = "l2sp"
    source: int = 60_000
    seed: int = 11

    def at(self, day: float) -> int:
        """A day of the scenario as a time, µs since 1970 UTC."""
        return START_US + int(day * DAY_US)


@dataclass(frozen=True, slots=True)
class PlatformStream:
    """The platform's stream: events and reports in order, and the truth.

    Attributes:
        events: in log order.
        labels: in order of arrival: chargebacks, early warnings, and verdicts on what the old rules had queued.
        truth: by transaction_id: is_fraud, pattern, event_time.
        time: int64 [n], µs, of the events.
    """

    events: pa.Table
    labels: pa.Table
    truth: pd.DataFrame
    time: npt.NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> "PlatformStream":
        """A simulated platform from its files."""
        events = pq.read_table(folder / "events.parquet")
        truth = pd.read_parquet(folder / "truth.parquet").set_index("transaction_id")
        time = events["event_time"].cast(pa.int64()).to_numpy()
        return cls(events, pq.read_table(folder / "labels.parquet"), truth, time)

    def between(self, since: int, until: int) -> pa.Table:
        """Events of a period, µs: a piece of the log, whose order is by time but for a few late events."""
        first, last = (int(np.argmax(self.time >= at)) if self.time[-1] >= at else len(self.time)
                       for at in (since, until))  # fmt: skip
        return self.events.slice(first, last - first)


def prepare(scenario: Scenario, folder: Path, *, bases: Path | None = None) -> PlatformStream:
    """Simulates the platform; takes the base from `bases`, or simulates a source platform and pre-trains one.

    Args:
        scenario: how much.
        folder: emptied, then everything goes there; the model directory is `folder / "models"`.
        bases: a model directory with a base to start from.

    Raises:
        ProgramFailed: a command failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    log, models = folder / "training.log", folder / "models"
    size = ["--days", str(scenario.days), "--seed", str(scenario.seed), "--base-rate", str(scenario.base_rate)]
    size.append("--no-own-fields")
    if bases is None:
        out = ["--platform", "source", "--transactions", str(scenario.source), "--out", str(folder / "source")]
        run_program("simulator", *out, *size, log=log)
        source = ["--source", str(folder / "source" / "events.parquet"), "--max-source-rows", "30000"]
        run_program("training", "pretrain", *source, "--teachers", "1", "--models", str(models), log=log)
    else:
        shutil.copytree(bases / "bases", models / "bases")
    begins = (START + timedelta(days=scenario.pattern)).date().isoformat()
    new = ["--new-pattern-start", begins, "--new-pattern-share", str(scenario.pattern_share)]
    out = ["--platform", "target", "--transactions", str(scenario.transactions), "--out", str(folder / "target")]
    run_program("simulator", *out, *size, *new, log=log)
    return PlatformStream.read(folder / "target")
