"""One cell = pair, budget, seed: every method's scores on the test, kept on disk so that a run can be continued."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.transfer.methods import METHODS, chosen_by_auto
from benchmarks.transfer.pairs import CACHE, Pair
from training.adapt_inputs import kinds_of, lacking, without
from training.datasets import Dataset, draw_labels
from training.fitting import make_deterministic
from training.pretrain import PretrainOptions, pretrain
from training.pretrained import Base, load_base, save_base
from training.sample import MIN_FRAUDS, Sample
from training.strategies.task import AdaptOptions, Task

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run.

    Attributes:
        folder: where this pair and seed keep their results.
        teachers: nets of base and ensemble.
        max_source_rows: for pre-training.
        control: what is done to the source: "" nothing, "shuffled" or "flipped" labels, "half" of the target instead.
    """

    folder: Path
    teachers: int
    max_source_rows: int
    control: str = ""


def source_of(pair: Pair, control: str, seed: int) -> tuple[Sample, Dataset]:
    """(source sample, target's past), after the control."""
    source, target = Sample.of(pair.source), pair.target
    if control == "shuffled":
        return replace(source, label=np.random.default_rng(seed).permutation(source.label)), target
    if control == "flipped":
        # As many rows as there are frauds change sides: the frauds become genuine, as many genuine ones fraud.
        label = np.zeros_like(source.label)
        genuine = np.flatnonzero(source.label == 0)
        label[np.random.default_rng(seed).choice(genuine, source.frauds, replace=False)] = 1
        return replace(source, label=label), target
    if control == "half":
        odd = np.arange(len(target)) % 2 == 1
        return Sample.of(target.take(odd)), target.take(~odd)
    return source, target


def base_of(pair: Pair, plan: Plan, seed: int) -> Base:
    """The pair's base, pre-trained once with its target's past as unlabelled rows."""
    folder = plan.folder / "base"
    if not (folder / "booster.txt").is_file():
        source, target = source_of(pair, plan.control, seed)
        base = pretrain(
            without(source, lacking(target.features)),
            target.features,
            names=pair.source.names,
            kinds=kinds_of(pair.source.names),
            seed=seed,
            options=PretrainOptions(teachers=plan.teachers, max_rows=plan.max_source_rows),
        )
        folder.mkdir(parents=True, exist_ok=True)
        save_base(base, folder)
    return load_base(folder)


def budget_sample(pair: Pair, plan: Plan, budget: str, seed: int) -> tuple[Sample, Dataset]:
    """(labels to learn from, all the payments known then) of "500", "all" or "60d"."""
    if budget.endswith("d"):
        known = pair.after(int(budget[:-1]))
        return Sample.of(known), known
    _, target = source_of(pair, plan.control, seed)
    if budget == "all":
        return Sample.of(target), target
    return Sample.of(target.take(draw_labels(target, int(budget), seed, MIN_FRAUDS))), target


def run_cell(pair: Pair, plan: Plan, budget: str, seed: int, methods: Sequence[str]) -> Iterator[tuple[str, Floats]]:
    """Each method's test scores, from disk where they are there."""
    missing = [name for name in methods if not _kept(plan, budget, name, seed).is_file()]
    if missing:
        base = base_of(pair, plan, seed)
        sample, known = budget_sample(pair, plan, budget, seed)
        task = Task(base, sample, known.features, seed, AdaptOptions(teachers=plan.teachers))
        make_deterministic(seed)
        for name in sorted(missing, key=lambda name: name == "auto"):
            _keep(_kept(plan, budget, name, seed), _scores(task, pair, plan, budget=budget, name=name, seed=seed))
    for name in methods:
        yield name, np.load(_kept(plan, budget, name, seed), allow_pickle=False)


def _scores(task: Task, pair: Pair, plan: Plan, *, budget: str, name: str, seed: int) -> Floats:
    if name != "auto":
        return METHODS[name](task, pair.test.features)
    chosen, why = chosen_by_auto(task)
    _kept(plan, budget, "auto", seed).with_suffix(".json").write_text(json.dumps({"chosen": chosen, "why": why}))
    same = _kept(plan, budget, chosen, seed)
    return np.load(same, allow_pickle=False) if same.is_file() else METHODS[chosen](task, pair.test.features)


def _kept(plan: Plan, budget: str, name: str, seed: int) -> Path:
    return plan.folder / "scores" / f"{budget}.{name}.{seed}.npy"


def _keep(path: Path, scores: Floats) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, scores.astype(np.float32), allow_pickle=False)


def folder_of(pair: str, world: int, control: str) -> Path:
    """Where a pair of a seed keeps what was computed."""
    return CACHE / "results" / "-".join(filter(None, (pair, str(world), control)))
