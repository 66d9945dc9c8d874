"""Pairs of platforms: a source with many labels, a target's past to learn from, and its future to be judged on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fraud.risk import RiskTables
from training.datasets import Dataset, World, build, read_stream
from training.datasets.cache import load, save
from training.datasets.stream import Stream
from training.import_events.mapping import load_mapping
from training.import_events.run import import_file
from training.ledger import DAY_US
from training.simulate.config import SimulationConfig, preset
from training.simulate.simulation import simulate
from training.simulate.write import write_simulation

CACHE: Final = Path("build/transfer")
SHARED: Final = Path("../shared/data")
TEST_SHARE: Final = 0.5
"""The target's last half, in time, is the test; with days since launch, the days after `TEST_FROM_DAY`."""

TEST_FROM_DAY: Final = 180
DAYS: Final = 240

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
        """The target as known `days` after its first payment: payments until then, labels received by then."""
        if self.stream is None:
            raise NoData(f"{self.name}: labels by day are only measured on simulated pairs")
        until = int(self.target.time[0]) + days * DAY_US
        whole = Dataset.concatenate([self.target, self.test])
        return whole.between(None, until).with_labels(self.stream.ledger, until)


def open_pair(name: str, seed: int, transactions: int, *, by_day: bool) -> Pair:
    """The pair of that name, made or read from `build/transfer`."""
    if name in PRESETS:
        return _simulated(name, seed, transactions, by_day=by_day)
    if not SHARED.is_dir():
        raise NoData(f"{name}: {SHARED} is not here")
    return _imported(name, _multimaus if name == "multimaus" else _handbook, seed)


def _simulated(name: str, seed: int, transactions: int, *, by_day: bool) -> Pair:
    folder = CACHE / f"{name}-{seed}-{transactions}"
    configs = preset(name, source=SimulationConfig(transactions=transactions, seed=seed, days=DAYS))
    for side, config in zip(("source", "target"), configs, strict=True):
        if not (folder / side / "events.parquet").is_file():
            (folder / side).mkdir(parents=True, exist_ok=True)
            write_simulation(simulate(config), folder / side, file_format="parquet", progress=lambda _: None)
    truth = pd.read_parquet(folder / "target" / "truth.parquet").set_index("transaction_id")
    source, target = _datasets(folder, "parquet")
    known = truth.loc[list(target.transaction_ids)]
    fraud, probability = known["is_fraud"].to_numpy(bool), known["probability"].to_numpy(float)
    stream = None
    if by_day:
        events = folder / "target" / "events.parquet"
        stream = read_stream([events], events.with_name("labels.parquet"), World())
    return _cut(name, source, target, fraud, probability=probability, stream=stream)


def _imported(name: str, write: Callable[[Path, int], None], seed: int) -> Pair:
    folder = CACHE / name
    if not (folder / "target" / "labels.parquet").is_file():
        write(folder, seed)
    source, target = _datasets(folder, "parquet")
    return _cut(name, source, target, target.label == 1, probability=None, stream=None)


def _multimaus(folder: Path, _seed: int) -> None:
    """Payments with French cards are the source, with American cards the target."""
    rows = pd.read_csv(SHARED / "multimaus_uni.csv.gz", dtype=str, keep_default_na=False)
    for side, country in (("source", "FR"), ("target", "US")):
        _import(rows[rows["Country"] == country], folder / side, "multimaus", "csv")


def _handbook(folder: Path, seed: int) -> None:
    """The handbook's payments are the source; synccfd makes the target, with other places and two other frauds."""
    from synccfd import DatasetGenerator

    rows = pd.read_parquet(SHARED / "fdh_simulated.parquet")
    _import(rows[rows["CUSTOMER_ID"].astype(int) % 5 == 0], folder / "source", "fdh", "parquet")
    _, _, made = DatasetGenerator(n_customers=1000, n_terminals=2000, nb_days=183, random_state=seed).generate()
    _import(made, folder / "target", "synccfd", "parquet")


def _import(rows: pd.DataFrame, folder: Path, mapping: str, suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"raw.{suffix}"
    if suffix == "csv":
        rows.to_csv(file, index=False)
    else:
        rows.to_parquet(file, index=False)
    import_file(file, load_mapping(mapping), folder / "events.parquet")


def _datasets(folder: Path, suffix: str) -> tuple[Dataset, Dataset]:
    """(source, target), replayed once and kept; the target's risk features stay empty, as with `--labels`."""
    found = []
    for side, risk in (("source", None), ("target", RiskTables())):
        kept = folder / f"{side}.npz"
        if not kept.is_file():
            events = folder / side / f"events.{suffix}"
            save(build(events, events.with_name("labels.parquet"), risk=risk), kept)
        found.append(load(kept))
    return found[0], found[1]


def _cut(
    name: str,
    source: Dataset,
    target: Dataset,
    fraud: npt.NDArray[np.bool_],
    *,
    probability: npt.NDArray[np.float64] | None,
    stream: Stream | None,
) -> Pair:
    from sklearn.metrics import average_precision_score

    if stream is None:
        cut = round(len(target) * (1 - TEST_SHARE))
    else:
        cut = int(np.searchsorted(target.time, target.time[0] + TEST_FROM_DAY * DAY_US))
    future = slice(cut, len(target))
    bayes = None if probability is None else float(average_precision_score(fraud[future], probability[future]))
    test = target.take(future)
    observed = np.ones(len(test), bool) if probability is not None else test.observed
    return Pair(
        name=name,
        source=source,
        target=target.take(slice(0, cut)),
        test=test.take(observed),
        truth=fraud[future][observed],
        bayes=bayes,
        stream=stream,
    )
