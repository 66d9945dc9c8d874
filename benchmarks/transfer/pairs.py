"""Pairs of platforms: a source with many labels, a target's past to learn from, and its future to be judged on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

from fraud.features.risk_tables import RiskTables
from simulator.config import SimulationConfig, preset
from simulator.output.files import write_simulation
from simulator.simulation import simulate
from training.data.cache import load, save
from training.data.dataset import Dataset
from training.data.feature_context import FeatureContext
from training.data.importing.importer import import_file
from training.data.importing.mapping import load_mapping
from training.data.replayed_stream import Stream, build, read_stream
from training.labels.ledger import DAY_US

CACHE: Final = Path("build/transfer")
SHARED: Final = Path("../shared/data")

DAYS: Final = 360
TEST_FROM_DAY: Final = 180
"""Simulated targets: half a year to learn from, as labels come in, and half a year to be judged on."""

TEST_SHARE: Final = 0.5
"""Files: the target's last half, in time, is the test."""

HANDBOOK_SEED: Final = 101

PRESETS: Final = ("positive", "neutral", "negative", "regime-change")
PAIRS: Final = (*PRESETS, "multimaus", "handbook-synccfd")


class NoData(Exception):  # noqa: N818 - named for what is missing
    """A pair whose data is not on this machine; one line."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of platforms.

    Attributes:
        name: of the pair.
        source: all labels known.
        target: the target's past; labels matured.
        test: the target's future.
        truth: bool [t], fraud in the test: the simulator's truth, or the file's labels.
        bayes: average precision of the true probability on the test; None where nobody knows it.
        stream: the target's stream, to read labels as of a day; None where only budgets are measured.
    """

    name: str
    source: Dataset
    target: Dataset
    test: Dataset
    truth: npt.NDArray[np.bool_]
    bayes: float | None
    stream: Stream | None

    def after(self, days: int) -> Dataset:
        """The target as known `days` after its first payment: payments until then, labels received by then.

        Raises:
            NoData: nobody knows when this pair's labels were received.
        """
        if self.stream is None:
            raise NoData(f"{self.name}: labels by day are only measured on simulated pairs")
        until = int(self.target.time[0]) + days * DAY_US
        return self.target.between(None, until).with_labels(self.stream.ledger, until)


def open_pair(name: str, seed: int, sizes: tuple[int, int]) -> Pair:
    """The pair of that name, made or read from `build/transfer`; sizes of (source, target) where it is simulated."""
    if name in PRESETS:
        return _simulated(name, seed, sizes)
    if not SHARED.is_dir():
        raise NoData(f"{name}: {SHARED} is not here")
    return _imported(name, _multimaus if name == "multimaus" else _handbook)


def _simulated(name: str, seed: int, sizes: tuple[int, int]) -> Pair:
    source, target = preset(name, source=SimulationConfig(transactions=sizes[0], seed=seed, days=DAYS))
    # One source serves all presets of a seed: only the target's dials differ.
    sources = _world(CACHE / f"source-{seed}-{sizes[0]}", source, risk=None)
    folder = CACHE / f"{name}-{seed}-{sizes[1]}"
    payments = _world(folder, replace(target, transactions=sizes[1]), risk=RiskTables())
    truth = pd.read_parquet(folder / "truth.parquet").set_index("transaction_id").loc[list(payments.transaction_ids)]
    fraud, probability = truth["is_fraud"].to_numpy(bool), truth["probability"].to_numpy(float)
    stream = read_stream([folder / "events.parquet"], folder / "labels.parquet", FeatureContext())
    cut = int(np.searchsorted(payments.time, payments.time[0] + TEST_FROM_DAY * DAY_US))
    return Pair(
        name=name,
        source=sources,
        target=payments.take(slice(0, cut)),
        test=payments.take(slice(cut, len(payments))),
        truth=fraud[cut:],
        bayes=float(average_precision_score(fraud[cut:], probability[cut:])),
        stream=stream,
    )


def _world(folder: Path, config: SimulationConfig, *, risk: RiskTables | None) -> Dataset:
    if not (folder / "events.parquet").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_simulation(simulate(config), folder, file_format="parquet", progress=lambda _: None)
    return _replayed(folder, risk)


def _imported(name: str, write: Callable[[Path], None]) -> Pair:
    """The same rows for every seed, which draws the labels and starts the methods."""
    folder = CACHE / name
    if not (folder / "target" / "labels.parquet").is_file():
        write(folder)
    payments = _replayed(folder / "target", RiskTables())
    cut = round(len(payments) * (1 - TEST_SHARE))
    test = payments.take(slice(cut, len(payments))).labelled()
    return Pair(
        name=name,
        source=_replayed(folder / "source", None),
        target=payments.take(slice(0, cut)),
        test=test,
        truth=test.label == 1,
        bayes=None,
        stream=None,
    )


def _multimaus(folder: Path) -> None:
    """Payments with French cards are the source, with American cards the target."""
    rows = pd.read_csv(SHARED / "multimaus_uni.csv.gz", dtype=str, keep_default_na=False)
    for side, country in (("source", "FR"), ("target", "US")):
        _import(rows[rows["Country"] == country], folder / side, "multimaus", "csv")


def _handbook(folder: Path) -> None:
    """The handbook's payments are the source; synccfd makes the target, with other places and two other frauds."""
    from synccfd import DatasetGenerator

    rows = pd.read_parquet(SHARED / "fdh_simulated.parquet")
    _import(rows[rows["CUSTOMER_ID"].astype(int) % 5 == 0], folder / "source", "fdh", "parquet")
    _, _, made = DatasetGenerator(n_customers=500, n_terminals=1000, nb_days=183, random_state=HANDBOOK_SEED).generate()
    _import(made, folder / "target", "synccfd", "parquet")


def _import(rows: pd.DataFrame, folder: Path, mapping: str, suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"raw.{suffix}"
    if suffix == "csv":
        rows.to_csv(file, index=False)
    else:
        rows.to_parquet(file, index=False)
    import_file(file, load_mapping(mapping), folder / "events.parquet")


def _replayed(folder: Path, risk: RiskTables | None) -> Dataset:
    """The folder's events as rows, replayed once and kept; a target's risk features stay empty, as with `--labels`."""
    kept = folder / "rows.npz"
    if not kept.is_file():
        save(build(folder / "events.parquet", folder / "labels.parquet", risk=risk), kept)
    return load(kept)
