"""Cross-fitted evidence: what each member would have said of labelled payments that it had not seen, in time order.

With enough frauds, members learn from what came before a block and score the block, as they will the future. With few,
nothing can be spared: each block is scored by members that learnt from all others, earlier or later. Blocks are spans
of time that hold equally many frauds, since a payment's neighbours belong to the same attack.

Labels that somebody chose are no fair sample: analysts see what looked suspicious, chargebacks come before silence
matures. Where the source's score finds the labelled payments riskier than the others, unlabelled ones stand beside
them, presumed genuine, until frauds are as rare as on the source. Labels drawn fairly stay alone: among the unlabelled
payments would be as many frauds as among them, and who finds those must not pay for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from training.data.sample import MIN_FRAUDS, Floats, Sample, row_keys, some_rows, thin
from training.modelling.strategies.stack.members import UNADAPTED, Fit, Fitted
from training.modelling.strategies.task import Task
from training.modelling.train_loop import quiet
from training.modelling.trees.boosting import booster_logits

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FORWARD_FRAUDS: Final = 100
"""Labelled frauds from which on evidence comes from later payments only."""

FORWARD: Final = (0.5, 0.75, 1.0)
"""Shares of the frauds between which the blocks lie; members learn from all before."""

LEFT_OUT_BLOCKS: Final = 4
FEWEST: Final = 2 * MIN_FRAUDS
"""Frauds without which there is no evidence."""

CELLS: Final = 8_000_000
"""Rows times columns, of source and target each, that a member learns from in a fold."""

SCALE_ROWS: Final = 20_000
CHANCE: Final = 3.0
"""Standard deviations from chance at which labels count as chosen by risk."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Brings a model's logits to mean 0 and spread 1 on payments as they come: members are added on this scale."""

    mean: float
    spread: float

    @classmethod
    def of(cls, logits: Floats) -> Self:
        """Of these logits."""
        return cls(float(logits.mean(dtype=np.float64)), max(float(logits.std(dtype=np.float64)), 1e-6))

    def __call__(self, logits: Floats) -> Doubles:
        """The logits on the common scale."""
        return (logits.astype(np.float64) - self.mean) / self.spread


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores of n payments by members that had not seen them.

    Attributes:
        scores: member -> on the common scale, float64 [n].
        label: int8 [n], of both classes.
        rows: labelled target rows that the first of them are, int64 [r]; the others are unlabelled, presumed genuine.
    """

    scores: Mapping[str, Doubles]
    label: npt.NDArray[np.int8]
    rows: Rows


def gather(task: Task, members: Mapping[str, Fit]) -> Evidence | None:
    """Cross-fits the members; None where frauds are too few."""
    pairs = blocks(task.target.label)
    if not pairs:
        return None
    light = _light(task)
    shared, extra = scale_rows(task), presumed_genuine(task)
    turn = np.arange(len(extra)) % len(pairs)
    fixed = {name: members[name](task) for name in members if name in UNADAPTED}
    scored: dict[str, list[Doubles]] = {name: [] for name in members}
    beside = {name: np.zeros(len(extra)) for name in members}
    for number, (train, test) in enumerate(pairs):
        part = replace(light, target=_bounded(task.target.take(train), task))
        for step, (name, fit) in enumerate(members.items()):
            task.progress("cross-fitting", (number + step / len(members)) / len(pairs))
            model: Fitted = fixed[name] if name in fixed else fit(part)
            scale = Scale.of(model(shared))
            scored[name].append(scale(model(task.target.features[test])))
            beside[name][turn == number] = scale(model(extra[turn == number]))
    rows = np.concatenate([test for _, test in pairs])
    return Evidence(
        scores={name: np.concatenate([*parts, beside[name]]) for name, parts in scored.items()},
        label=np.concatenate([task.target.label[rows], np.zeros(len(extra), np.int8)]),
        rows=rows,
    )


def blocks(label: npt.NDArray[np.int8]) -> list[tuple[Rows, Rows]]:
    """(train rows, test rows) of each fold over rows in time order; none where frauds are too few."""
    frauds = np.flatnonzero(label == 1)
    rows = np.arange(len(label), dtype=np.int64)
    if len(frauds) < FEWEST:
        return []
    forward = len(frauds) >= FORWARD_FRAUDS
    shares = np.array(FORWARD) if forward else np.linspace(0, 1, LEFT_OUT_BLOCKS + 1)
    edges = (shares * len(frauds)).round().astype(int)
    # Cuts lie midway between two frauds.
    cuts = [0 if e == 0 else len(label) if e == len(frauds) else int(frauds[e - 1] + frauds[e] + 1) // 2 for e in edges]
    pairs = [
        (rows[:start] if forward else np.delete(rows, slice(start, end)), rows[start:end])
        for start, end in pairwise(cuts)
    ]
    learnable = [(train, test) for train, test in pairs if not label[train].all()]
    genuine = any(not label[test].all() for _, test in learnable)
    return learnable if genuine else []


def scale_rows(task: Task) -> Floats:
    """Unlabelled rows, drawn, on which scales are matched; those with labels only where there are no others."""
    drawn = some_rows(task.unlabelled, 2 * SCALE_ROWS, seed=task.seed)
    unseen = drawn[~np.isin(row_keys(drawn), row_keys(task.target.features))]
    return some_rows(unseen if len(unseen) >= SCALE_ROWS // 10 else drawn, SCALE_ROWS, seed=task.seed)


def presumed_genuine(task: Task) -> Floats:
    """Unlabelled rows that stand beside labels that were chosen by risk, float32 [m, d]; none beside a fair sample."""
    target, nothing = task.target, task.unlabelled[:0]
    wanted = min(round(target.frauds / task.base.source_prior) - len(target), CELLS // target.features.shape[1])
    if wanted <= 0 or not len(task.base.source):
        return nothing
    rows = some_rows(task.unlabelled, 4 * wanted, seed=task.seed)
    rows = rows[~np.isin(row_keys(rows), row_keys(target.features))]
    if len(rows) == 0 or not chosen_by_risk(task, rows):
        return nothing
    return some_rows(rows, wanted, seed=task.seed)


def chosen_by_risk(task: Task, others: Floats) -> bool:
    """Whether the source's trees find the labelled payments riskier than others, beyond chance (Mann & Whitney)."""
    base, own = task.base, task.target.features
    score = booster_logits(base.trees, np.concatenate([own, others]), base.kinds)
    n, m = len(own), len(others)
    auc = (rankdata(score)[:n].sum() - n * (n + 1) / 2) / (n * m)
    return bool(auc > 0.5 + CHANCE * np.sqrt((n + m + 1) / (12 * n * m)))


def _light(task: Task) -> Task:
    """The task with less of the source, one net and no progress: folds are many."""
    return replace(
        task,
        base=replace(task.base, source=_bounded(task.base.source, task)),
        options=replace(task.options, teachers=1),
        progress=quiet,
    )


def _bounded(sample: Sample, task: Task) -> Sample:
    return thin(sample, CELLS // sample.features.shape[1], seed=task.seed)
