"""One cell = pair, budget, seed: every method learns from the same labels and is judged on the same test."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import click
import numpy as np
import numpy.typing as npt

from benchmarks.transfer.methods import METHODS, OURS, RIVALS, UNADAPTED, stacked_by_auto
from benchmarks.transfer.pairs import CACHE, PRESETS, Pair
from benchmarks.transfer.results import Cell, Measured, measure
from training.data.dataset import Dataset, draw_labels
from training.data.sample import MIN_FRAUDS, Sample
from training.modelling.base import Base, load_base, save_base
from training.modelling.inputs import kinds_of, lacking, without
from training.modelling.pretrain import PretrainOptions, pretrain
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import make_deterministic

Floats: TypeAlias = npt.NDArray[np.float32]

OPTIONS: AdaptOptions = AdaptOptions(threads=1)
"""The product's own, on one thread."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One pair and seed.

    Attributes:
        pair: opened.
        seed: of streams, labels and methods.
        control: what is done to the source: "" nothing, "shuffled" or "flipped" labels, "half" of the target instead.
        code: commit of what is measured.
    """

    pair: Pair
    seed: int
    control: str
    code: str

    @property
    def base(self) -> Path:
        """Where the base is kept."""
        shared = f"source-{self.seed}" if self.pair.name in PRESETS else self.pair.name
        return CACHE / "kept" / (f"{self.pair.name}-{self.seed}-{self.control}" if self.control else shared)

    def cell(self, budget: str) -> Cell:
        """The cell of that budget, with what is known of it."""
        return Cell(self.pair.name, budget, self.seed, self.control).known()


def source_of(plan: Plan) -> tuple[Sample, Dataset]:
    """(source sample, target's past), after the control."""
    source, target, rng = Sample.of(plan.pair.source), plan.pair.target, np.random.default_rng(plan.seed)
    if plan.control == "shuffled":
        return replace(source, label=rng.permutation(source.label)), target
    if plan.control == "flipped":
        # As many rows as there are frauds change sides: the frauds become genuine, as many genuine ones fraud.
        label = np.zeros_like(source.label)
        label[rng.choice(np.flatnonzero(source.label == 0), source.frauds, replace=False)] = 1
        return replace(source, label=label), target
    if plan.control == "half":
        odd = np.arange(len(target)) % 2 == 1
        return Sample.of(target.take(odd)), target.take(~odd)
    return source, target


def base_of(plan: Plan) -> Base:
    """The base, pre-trained once.

    A simulated source's base is made before a target is known and serves every preset of the seed; an imported pair's
    has seen the unlabelled past of its target and serves every seed.
    """
    folder = plan.base
    if not (folder / "booster.txt").is_file():
        source, target = source_of(plan)
        base = pretrain(
            without(source, lacking(target.features)),
            target.features[: 0 if plan.pair.name in PRESETS else len(target)],
            names=plan.pair.source.names,
            kinds=kinds_of(plan.pair.source.names),
            seed=plan.seed,
            options=PretrainOptions(threads=1),
        )
        folder.mkdir(parents=True, exist_ok=True)
        save_base(base, folder)
    return load_base(folder)


def budget_sample(plan: Plan, budget: str) -> tuple[Sample, Dataset]:
    """(labels to learn from, all the payments known then) of "500", "all" or "60d".

    Raises:
        NoData, InvalidDataset: there are no such labels.
    """
    if budget.endswith("d"):
        known = plan.pair.after(int(budget[:-1]))
        return Sample.of(known), known
    _, target = source_of(plan)
    if budget == "all":
        return Sample.of(target), target
    return Sample.of(target.take(draw_labels(target, int(budget), plan.seed, MIN_FRAUDS))), target


def run_cell(plan: Plan, base: Base, budget: str, methods: Sequence[str]) -> None:
    """Measures the methods that are missing in the cell, saving after each."""
    cell, test = plan.cell(budget), plan.pair.test
    sample, known = budget_sample(plan, budget)
    cell.labels, cell.frauds = len(sample), sample.frauds
    cell.test_rows, cell.test_frauds = len(test), int(plan.pair.truth.sum())
    cell.bayes = plan.pair.bayes
    if sample.frauds < MIN_FRAUDS:
        cell.why = f"{sample.frauds} frauds among the labels: nothing can be adapted"
    task = Task(base, sample, known.features, plan.seed, OPTIONS)
    for name in cell.possible(methods):
        if name not in cell.methods:
            make_deterministic(plan.seed)
            cell.methods[name] = _measured(task, plan, cell, name)
            cell.save()
            click.echo(f"{time.strftime('%H:%M:%S')} {cell.path.parent.name} {told(cell, name)}")
    cell.save()


def told(cell: Cell, name: str) -> str:
    """A method's figures in one line."""
    figures = cell.methods[name]
    return f"{cell.budget} {cell.seed} {name}: ap {figures.ap:.3f}, {figures.seconds:.0f} s"


def _measured(task: Task, plan: Plan, cell: Cell, name: str) -> Measured:
    pair = plan.pair
    started = time.process_time()
    if name == "auto":
        scores, cell.why = stacked_by_auto(task, pair.test.features)
    else:
        scores = _unadapted(task, plan, name) if name in UNADAPTED else METHODS[name](task, pair.test.features)
    return measure(
        scores,
        pair.truth,
        np.unique(pair.test.customer, return_inverse=True)[1],
        # The imported tests are the same rows for every seed, so they get the same draws.
        seed=plan.seed if pair.name in PRESETS else 0,
        drawn=name in OURS or name in RIVALS,
        seconds=time.process_time() - started,
        code=plan.code,
    )


def _unadapted(task: Task, plan: Plan, name: str) -> Floats:
    """Scores that are the same for every budget, kept beside the base."""
    kept = plan.base / f"{plan.pair.name}-{name}.npy"
    if not kept.is_file():
        np.save(kept, METHODS[name](task, plan.pair.test.features), allow_pickle=False)
    return np.asarray(np.load(kept, allow_pickle=False), np.float32)
