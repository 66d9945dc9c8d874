"""One cell = set, budget, seed: the default, with and without each part, learns from the same and ranks the same."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.transfer.pairs import PRESETS, Pair
from benchmarks.transfer.results import Measured, measure
from training.data.dataset import Dataset, draw_labels
from training.data.declines import declined
from training.data.sample import MIN_FRAUDS, Sample
from training.labels.ledger import DAY_US
from training.modelling.adapt import run
from training.modelling.base import Base, load_base, save_base
from training.modelling.distillation import DistilOptions
from training.modelling.inputs import kinds_of, lacking, without
from training.modelling.network import predict
from training.modelling.pretrain import PretrainOptions, pretrain
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import make_deterministic

FOLDER: Final = Path("build/pretraining")
COLD: Final = "0"
"""No label: what the loop does before the first ones come."""

COLD_DAYS: Final = 14
"""Payments of so many days are there by then."""

BY_DAYS: Final = (COLD, "14d", "30d", "60d")
BY_LABELS: Final = (COLD, "100", "500")
"""Of imported sets: nobody knows when their labels were received."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is added to the default.

    Attributes:
        cold: strategy without labels.
        weigh_self_supervised, surprise: as of `AdaptOptions`.
    """

    cold: str
    weigh_self_supervised: bool = False
    surprise: bool = False


PARTS: Final = {
    "default": Part("coral"),
    "self_supervised": Part("self_supervised", weigh_self_supervised=True),
    "surprise": Part("coral", surprise=True),
    "both": Part("self_supervised", weigh_self_supervised=True, surprise=True),
}
"""Name -> what is added; the first adds nothing."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a measurement costs.

    Attributes:
        name: of the folder that the cells are kept in.
        sizes: payments of a simulated source and target.
        strategy: with labels.
        pretraining: of the base.
        adaptation: options, on which the parts are set.
    """

    name: str
    sizes: tuple[int, int]
    strategy: str
    pretraining: PretrainOptions
    adaptation: AdaptOptions


FULL: Final = Effort("full", (300_000, 200_000), "auto", PretrainOptions(threads=1), AdaptOptions(threads=1))
"""The product's own options, on one thread."""

QUICK: Final = Effort(
    "quick",
    (120_000, 100_000),
    "auto",
    PretrainOptions(teachers=1, threads=1),
    AdaptOptions(teachers=1, threads=1, pool_rows=30_000, distil=DistilOptions(steps=1_000, mixed_rows=30_000)),
)
"""Smaller streams, one net of each kind, a shorter distillation."""


class Cell(msgspec.Struct):
    """One cell.

    Attributes:
        effort, pair, budget, seed: which.
        labels, frauds: that were learnt from.
        test_frauds: that were to be found.
        why: part -> how `auto` weighed its members, and what it served.
        methods: part -> figures.
    """

    effort: str
    pair: str
    budget: str
    seed: int
    labels: int = 0
    frauds: int = 0
    test_frauds: int = 0
    why: dict[str, str] = {}
    methods: dict[str, Measured] = {}

    @property
    def path(self) -> Path:
        """Its file."""
        return FOLDER / "cells" / self.effort / f"{self.pair}.{self.budget}.{self.seed}.json"

    def known(self) -> "Cell":
        """The cell as it was measured, or this empty one."""
        return msgspec.json.decode(self.path.read_bytes(), type=Cell) if self.path.is_file() else self

    def save(self) -> None:
        """Writes it, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        temporary.replace(self.path)


def load_all(effort: Effort) -> list[Cell]:
    """Every measured cell."""
    paths = sorted((FOLDER / "cells" / effort.name).glob("*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=Cell) for path in paths]


def run_cell(pair: Pair, cell: Cell, effort: Effort, parts: Sequence[str], *, code: str) -> None:
    """Measures the parts that are missing in the cell, saving after each.

    Raises:
        InvalidDataset, NoData: there are no such labels.
    """
    base = base_of(pair, cell.seed, effort)
    known, sample = _learnt(pair, base, cell)
    cold = cell.budget == COLD
    cell.labels, cell.frauds = (0, 0) if cold else (len(sample), sample.frauds)
    cell.test_frauds = int(pair.truth.sum())
    if sample.frauds < MIN_FRAUDS:
        cell.save()
        return
    group = np.unique(pair.test.customer, return_inverse=True)[1]
    for name in parts:
        if name in cell.methods:
            continue
        part, started = PARTS[name], time.process_time()
        options = replace(effort.adaptation, weigh_self_supervised=part.weigh_self_supervised, surprise=part.surprise)
        task = Task(base, sample, known.features, cell.seed, options, declined=declined(known))
        make_deterministic(cell.seed)
        adapted = run(task, part.cold if cold else effort.strategy)
        scores = predict(adapted.scorer, pair.test.features)
        seconds = time.process_time() - started
        # The imported tests are the same rows for every seed, so they get the same draws.
        seed = cell.seed if pair.name in PRESETS else 0
        cell.methods[name] = measure(scores, pair.truth, group, seed=seed, drawn=True, seconds=seconds, code=code)
        cell.why[name] = adapted.why
        cell.save()


def _learnt(pair: Pair, base: Base, cell: Cell) -> tuple[Dataset, Sample]:
    """(payments known, labels) of a budget; without labels the source's held-out rows stand in, as in the loop."""
    if cell.budget == COLD:
        until = int(pair.target.time.min()) + COLD_DAYS * DAY_US
        return pair.target.between(None, until), base.held_out
    if cell.budget.endswith("d"):
        known = pair.after(int(cell.budget[:-1]))
        return known, Sample.of(known)
    past = pair.target
    return past, Sample.of(past.take(draw_labels(past, int(cell.budget), cell.seed, MIN_FRAUDS)))


def base_of(pair: Pair, seed: int, effort: Effort) -> Base:
    """The base, pre-trained once on the source alone: a target of nobody's knowledge joins later."""
    shared = f"source-{seed}" if pair.name in PRESETS else pair.name
    folder = FOLDER / "bases" / effort.name / shared
    if not (folder / "booster.txt").is_file():
        base = pretrain(
            without(Sample.of(pair.source), lacking(pair.target.features)),
            pair.target.features[:0],
            names=pair.source.names,
            kinds=kinds_of(pair.source.names, [pair.source.identity.platform]),
            seed=seed,
            options=effort.pretraining,
        )
        folder.mkdir(parents=True, exist_ok=True)
        save_base(base, folder)
    return load_base(folder)
