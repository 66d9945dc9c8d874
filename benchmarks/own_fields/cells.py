"""One cell = set, budget, seed: `auto` and two raw LightGBMs learn from the same labels and rank the same future."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.own_fields.rivals import raw_scores
from benchmarks.own_fields.sets import FOLDER, OwnSet
from benchmarks.transfer.results import Measured, measure
from training.data.dataset import draw_labels
from training.data.sample import MIN_FRAUDS, Floats, Sample
from training.modelling.adapt import adapt
from training.modelling.base import Base, load_base, save_base
from training.modelling.columns.raw import raw_columns
from training.modelling.inputs import matched
from training.modelling.network import predict
from training.modelling.pretrain import PretrainOptions, pretrain, without_source
from training.modelling.strategies.task import AdaptOptions, Task

CELLS: Final = FOLDER / "cells"
METHODS: Final = ("auto", "raw_target", "raw_pooled")


class Cell(msgspec.Struct):
    """One cell.

    Attributes:
        name, budget, seed: which.
        labels, frauds: that were learnt from.
        test_frauds: that were to be found.
        why: how `auto` weighed its members, and what it served.
        methods: name -> figures.
    """

    name: str
    budget: str
    seed: int
    labels: int = 0
    frauds: int = 0
    test_frauds: int = 0
    why: str = ""
    methods: dict[str, Measured] = {}

    @property
    def path(self) -> Path:
        """Its file."""
        return CELLS / f"{self.name}.{self.budget}.{self.seed}.json"

    def known(self) -> "Cell":
        """The cell as it was measured, or this empty one."""
        return msgspec.json.decode(self.path.read_bytes(), type=Cell) if self.path.is_file() else self

    def save(self) -> None:
        """Writes it, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        temporary.replace(self.path)


def load_all() -> list[Cell]:
    """Every measured cell."""
    return [msgspec.json.decode(path.read_bytes(), type=Cell) for path in sorted(CELLS.glob("*.json"))]


def run_cell(own: OwnSet, cell: Cell, *, threads: int, code: str) -> None:
    """Measures what is missing in the cell, saving after each method.

    Raises:
        InvalidDataset: there are not so many labels.
    """
    sample, counted = _labels(own, cell)
    cell.labels, cell.frauds, cell.test_frauds = len(sample), sample.frauds, int(own.truth.sum())
    raw = raw_columns(own.target.names)
    kinds = [own.kinds[column] for column in raw]
    train = replace(sample, features=sample.features[:, raw])
    test = own.test.features[:, raw]

    def auto() -> Floats:
        base = matched(_base(own, cell, sample, threads), own.target)
        options = AdaptOptions(teachers=max(len(base.teachers), 1), threads=threads)
        task = Task(base, sample, own.target.features, cell.seed, options)
        made = adapt(task, "auto", frauds_counted=counted[0], rows_counted=counted[1])
        cell.why = str(made.report["why"])
        return predict(made.scorer, own.test.features)

    def pooled() -> Floats:
        assert own.source is not None  # for mypy; asked for only then
        whole = Sample.of(own.source)
        source = replace(whole, features=whole.features[:, raw])
        return raw_scores(train, test, kinds, seed=cell.seed, threads=threads, source=source)

    runs: dict[str, Callable[[], Floats]] = {
        "raw_target": lambda: raw_scores(train, test, kinds, seed=cell.seed, threads=threads),
        "raw_pooled": pooled,
        "auto": auto,
    }
    for name, run in runs.items():
        if name not in cell.methods and (own.source is not None or name != "raw_pooled"):
            started = time.process_time()
            cell.methods[name] = _measured(run(), own, cell, started, code)
            cell.save()


def _labels(own: OwnSet, cell: Cell) -> tuple[Sample, tuple[int, int]]:
    """(labelled rows, frauds and rows of a uniform count of the target)."""
    past = own.target
    whole = past.labelled()
    counted = (whole.frauds, len(whole))
    if cell.budget == "all":
        return Sample.of(past), counted
    return Sample.of(past.take(draw_labels(past, int(cell.budget), cell.seed, MIN_FRAUDS))), counted


def _base(own: OwnSet, cell: Cell, sample: Sample, threads: int) -> Base:
    """The base, pre-trained once a set (a simulated one: once a seed); nothing is learnt where there is no source."""
    names = own.target.names
    if own.source is None:
        return without_source(sample, own.target.features, names=names, kinds=own.kinds, seed=cell.seed)
    first = int(own.source.time[0] % 1_000_003)
    folder = FOLDER / "bases" / f"{own.name}-{len(own.source)}-{first}"
    if not (folder / "booster.txt").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        base = pretrain(
            Sample.of(own.source), own.target.features, names=names, kinds=own.kinds, seed=1,
            options=PretrainOptions(threads=threads),
        )  # fmt: skip
        save_base(base, folder)
    return load_base(folder)


def _measured(scores: Floats, own: OwnSet, cell: Cell, started: float, code: str) -> Measured:
    seconds = time.process_time() - started
    group: npt.NDArray[np.intp] = own.group
    return measure(scores, own.truth, group, seed=cell.seed, drawn=True, seconds=seconds, code=code)
