"""`make bench-partitions`: what several partitions cost in recall, because each sees its share of device, ip, merchant.

One simulated stream, replayed with different keys and numbers of partitions; trees learn from the truth of the first
part and rank the rest, and whatever is in the fixed budget of alerts was caught.
"""

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import numpy as np
import numpy.typing as npt

from benchmarks.report import Figure, report
from fraud.decoding.batch import ENTITIES, Batch
from fraud.features.encoder import SPEC, FeatureSpec
from fraud.features.risk_tables import RiskTables
from fraud.history.history import HistoryConfig
from simulator.config import SimulationConfig
from simulator.output.files import write_simulation
from simulator.simulation import Simulation, simulate
from training.data.feature_context import FeatureContext
from training.data.files.events import read_events
from training.data.replay import replay
from training.modelling.trees.boosting import BoostOptions, booster_logits, fit_booster

SEEDS: Final = (41, 42, 43, 44, 45)
TRAINING_SHARE: Final = 0.6
ALERT_SHARE: Final = 0.02
"""Of the payments tested: as many alerts as there are frauds."""

BASE_RATE: Final = 0.02
"""The simulator's highest, so that short streams hold enough card testers."""

OPTIONS: Final = BoostOptions(trees=150, leaves=15, learning_rate=0.06, min_leaf=40, columns=0.3, threads=1)
ATTACKS: Final = ("card_testing", "bin_attack")
"""Patterns that show in what many cards share; everything else is `other`."""

Partition = npt.NDArray[np.int64] | None
Floats = npt.NDArray[np.float32]


def layouts(batch: Batch) -> Mapping[str, Partition]:
    """Name -> each event's partition, None for one; ids are hashes, and a remainder spreads them like a partitioner."""

    def by(entity: str, partitions: int) -> npt.NDArray[np.int64]:
        ids, customer = (batch.ids[:, ENTITIES.index(name)] for name in (entity, "customer"))
        return (np.where(ids == 0, customer, ids) % np.uint64(partitions)).astype(np.int64)

    return {
        "1_partition": None,
        "4_by_customer": by("customer", 4),
        "4_by_merchant": by("merchant", 4),
    }


def recalls(seed: int, transactions: int) -> dict[tuple[str, str], float]:
    """(layout, pattern) -> recall among the alerts, for one seed."""
    simulation = simulate(SimulationConfig(transactions=transactions, seed=seed, base_rate=BASE_RATE))
    batch = _batch(simulation)
    found: dict[tuple[str, str], float] = {}
    features: dict[str, Floats] = {}
    for layout, partition in layouts(batch).items():
        replayed = replay(batch, spec=SPEC, config=HistoryConfig(), risk=RiskTables(), partition=partition)
        features[layout] = replayed.features
    fraud = simulation.attempts.fraud
    pattern = np.array(simulation.truth["pattern"].to_pylist(), dtype=np.str_)
    cut = int(TRAINING_SHARE * len(fraud))
    for layout, rows in features.items():
        booster = fit_booster(rows[:cut], fraud[:cut], _kinds(SPEC), seed=seed, options=OPTIONS)
        found |= _caught(layout, booster_logits(booster, rows[cut:], _kinds(SPEC)), fraud[cut:], pattern[cut:])
        if layout == "1_partition":
            mixed = booster_logits(booster, features["4_by_customer"][cut:], _kinds(SPEC))
            found |= _caught("4_by_customer_model_of_1", mixed, fraud[cut:], pattern[cut:])
    return found


def _caught(
    layout: str, score: Floats, fraud: npt.NDArray[np.bool_], pattern: npt.NDArray[np.str_]
) -> dict[tuple[str, str], float]:
    alerted = np.zeros(len(score), np.bool_)
    alerted[np.argsort(-score, kind="stable")[: round(ALERT_SHARE * len(score))]] = True
    groups = {name: fraud & (pattern == name) for name in ATTACKS}
    groups |= {"other": fraud & ~np.isin(pattern, ATTACKS), "all": fraud}
    return {(layout, name): float(alerted[rows].mean()) for name, rows in groups.items()}


def _batch(simulation: Simulation) -> Batch:
    with tempfile.TemporaryDirectory() as folder:
        write_simulation(simulation, Path(folder))
        return read_events(Path(folder) / "events.parquet", FeatureContext()).batch


def _kinds(spec: FeatureSpec) -> list[str]:
    return [str(feature.kind) for feature in spec.features]


@click.command()
@click.option("--seed", "seeds", type=int, multiple=True, default=SEEDS, show_default=True)
@click.option("--transactions", default=80_000, show_default=True)
def main(*, seeds: tuple[int, ...], transactions: int) -> None:
    """Measure and report; each figure is the median over seeds, with quartiles."""
    collected: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in seeds:
        for key, value in recalls(seed, transactions).items():
            collected[key].append(value)
        click.echo(f"seed {seed} done", err=True)
    figures = [
        Figure.of(f"partitions.{layout}.{pattern}_recall", values, "")
        for (layout, pattern), values in collected.items()
    ]
    report("bench-partitions", figures, title=f"Recall in the riskiest {ALERT_SHARE:.1%} of payments")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.partitions")
