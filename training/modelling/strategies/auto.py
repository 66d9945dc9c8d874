"""Chooses a strategy by time-ordered cross-validation inside the labelled budget; "no transfer" is among them.

The labels are cut in time: learn from the earlier ones, rank the next block, move on. Each candidate's evidence is its
mean average precision over the blocks; the standard error of a difference comes from a paired bootstrap of the rows
within blocks. Nothing after the labels is looked at.

Where frauds are over-represented among the labels (chargebacks come before silence matures, analysts see what is
suspicious), a block is ranked among unlabelled payments as well, presumed genuine, until frauds are as rare as on the
source: the question is not who tells fraud from what looked like it, but who finds it among all payments.

Before all this stands what needs no more than three frauds: a source that hardly ranks its own held-out frauds, or
ranks the target's below its other payments, is not transferred.

The default, which was best over many targets, stays unless the evidence against it exceeds one standard error, and that
beyond what the better of two rivals shows by luck. From `FEW_FRAUDS` frauds on "no transfer" has to be no more than
better: in each block it learns from a part of the labels that it will have, and the default, which mostly knows the
source, from nearly all that it needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from training.data.sample import MIN_FRAUDS, Floats, Sample, some_rows
from training.modelling.base import Base
from training.modelling.boosting import booster_logits
from training.modelling.strategies import joint_distilled
from training.modelling.strategies.boosted import fit_pooled
from training.modelling.strategies.target_only import fit_alone
from training.modelling.strategies.task import Adapted, Task
from training.modelling.train_loop import quiet

DEFAULT: Final = "joint_distilled"
NO_TRANSFER: Final = "target_only"
CANDIDATES: Final = (DEFAULT, "boosted", NO_TRANSFER)
FEW_FRAUDS: Final = 20
LUCK: Final = 1 / np.sqrt(np.pi)
"""Expected maximum of two standard normals: in standard errors, how good the better of two equal rivals looks."""

KNOWS: Final = 0.65
"""ROC AUC of a source that knows something: shuffled sources reached 0.60, the weakest sound one 0.72."""

CHANCE: Final = 1.64
"""Standard deviations that noise exceeds once in twenty times."""

COMPARED_ROWS: Final = 20_000
BLOCKS: Final = 3
BOOTSTRAPS: Final = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy and the reason for it."""

    strategy: str
    why: str


def adapt(task: Task) -> Adapted:
    """The strategy that the labels speak for, run on all of them."""
    choice = choose(task)
    chosen: Adapted = import_module(f"training.modelling.strategies.{choice.strategy}").adapt(task)
    return replace(chosen, why=choice.why)


def choose(task: Task) -> Choice:
    """No transfer from a source that cannot help; else cross-validates the candidates on the task's labels."""
    useless = why_useless(task)
    if useless:
        return Choice(NO_TRANSFER, f"{NO_TRANSFER}: {useless}")
    blocks = time_blocks(task.target.label, BLOCKS)
    if not blocks:
        return Choice(DEFAULT, f"{DEFAULT}, the default: {task.target.frauds} frauds are too few to compare strategies")
    scored: dict[str, list[Floats]] = {name: [] for name in CANDIDATES}
    labels = []
    for number, (train, test) in enumerate(blocks):
        task.progress("comparing strategies", number / len(blocks))
        part = replace(task, target=task.target.take(train), progress=quiet)
        block = among_all(task, task.target.take(test))
        labels.append(block.label)
        for name, logits in rank_block(part, block).items():
            scored[name].append(logits)
    return decide(scored, labels, task.target.frauds, seed=task.seed)


def why_useless(task: Task) -> str:
    """Why the source can teach nothing: it knows no fraud of its own, or takes the target's for the safest; "" if not.

    Were the score noise to the target, the mean rank of n frauds (ROC AUC) would be 1/2 ± (12 n)^-1/2.
    """
    base, target = task.base, task.target
    own = _auc(base, base.held_out.features, base.held_out.label)
    if own < KNOWS:
        return f"the source hardly ranks its own held-out frauds, AUC {own:.2f}"
    frauds, rows = target.features[target.label == 1], some_rows(task.unlabelled, COMPARED_ROWS, seed=task.seed)
    theirs = _auc(base, np.concatenate([frauds, rows]), np.repeat([1, 0], [len(frauds), len(rows)]))
    if theirs < 0.5 - CHANCE * (12 * target.frauds) ** -0.5:
        return f"the source ranks the target's {target.frauds} frauds below its other payments, AUC {theirs:.2f}"
    return ""


def _auc(base: Base, features: Floats, label: npt.NDArray[Any]) -> float:
    """Of the source trees' score on these rows."""
    return float(roc_auc_score(label, booster_logits(base.booster, features, base.kinds)))


def among_all(task: Task, block: Sample) -> Sample:
    """The block and, where its frauds are too many, unlabelled rows presumed genuine, at the block's last time."""
    wanted = round(block.frauds / task.base.source_prior) - len(block)
    if wanted <= 0:
        return block
    rng = np.random.default_rng(task.seed)
    rows = task.unlabelled[rng.choice(len(task.unlabelled), min(wanted, len(task.unlabelled)), replace=False)]
    return Sample(
        np.concatenate([block.features, rows]),
        np.concatenate([block.label, np.zeros(len(rows), np.int8)]),
        np.concatenate([block.time, np.full(len(rows), block.time[-1])]),
    )


def rank_block(task: Task, block: Sample) -> dict[str, Floats]:
    """Logits of a block's rows by each candidate, learnt from the task's labels; one net, undistilled."""
    pooled = fit_pooled(task, task.target)
    net = joint_distilled.fit_net(task, 0)
    return {
        DEFAULT: joint_distilled.ensemble(task, [net], joint_distilled.corrected(task, pooled))(block.features),
        "boosted": booster_logits(pooled, block.features, task.base.kinds),
        NO_TRANSFER: booster_logits(fit_alone(task, task.target), block.features, task.base.kinds),
    }


def decide(
    scored: Mapping[str, Sequence[Floats]], labels: Sequence[npt.NDArray[np.int8]], frauds: int, *, seed: int
) -> Choice:
    """The choice from each candidate's logits per block.

    Args:
        scored: candidate -> logits per block.
        labels: of each block.
        frauds: in the whole budget.
        seed: of the bootstrap.
    """
    evidence = {name: _mean_precision(labels, logits) for name, logits in scored.items()}
    listed = ", ".join(f"{name} {value:.3f}" for name, value in evidence.items())
    rivals = sorted((name for name in scored if evidence[name] > evidence[DEFAULT]), key=lambda name: -evidence[name])
    if not rivals:
        return Choice(DEFAULT, f"{DEFAULT}: best average precision in time order ({listed})")
    told = []
    for name in rivals:
        gain = evidence[name] - evidence[DEFAULT]
        error = _standard_error(labels, scored[name], scored[DEFAULT], seed)
        told.append(f"{name} beats {DEFAULT} by {gain:.3f} ± {error:.3f} on {frauds} frauds")
        if gain > (1 + LUCK) * error or (name == NO_TRANSFER and frauds >= FEW_FRAUDS):
            return Choice(name, f"{told[-1]} ({listed})")
    return Choice(DEFAULT, f"{DEFAULT}, the default: {'; '.join(told)}, within luck and one standard error ({listed})")


def time_blocks(label: npt.NDArray[np.int8], count: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(train rows, test rows) of up to `count` blocks over rows in time order; none where frauds are too few.

    Cuts lie between frauds: the first block learns from at least `MIN_FRAUDS`, each block tests on at least one.
    """
    frauds = np.flatnonzero(label == 1)
    first = max(MIN_FRAUDS, len(frauds) // 3)
    tested = len(frauds) - first
    if tested < MIN_FRAUDS:
        return []
    edges = first + np.linspace(0, tested, min(count, tested) + 1).round().astype(int)
    cuts = [(frauds[e - 1] + frauds[e] + 1) // 2 if e < len(frauds) else len(label) for e in edges]
    rows = np.arange(len(label), dtype=np.int64)
    pairs = [(rows[:start], rows[start:end]) for start, end in pairwise(cuts)]
    return [(train, test) for train, test in pairs if label[test].any() and not label[test].all()]


def _mean_precision(labels: Sequence[npt.NDArray[np.int8]], logits: Sequence[Floats]) -> float:
    weights = [int(label.sum()) for label in labels]
    values = [average_precision_score(label, scores) for label, scores in zip(labels, logits, strict=True)]
    return float(np.average(values, weights=weights))


def _standard_error(
    labels: Sequence[npt.NDArray[np.int8]], one: Sequence[Floats], other: Sequence[Floats], seed: int
) -> float:
    """Of the difference of mean precisions, by resampling frauds and genuine rows of each block."""
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(BOOTSTRAPS):
        rows = [
            np.concatenate(
                [rng.choice(group, len(group)) for group in (np.flatnonzero(y == 1), np.flatnonzero(y == 0))]
            )
            for y in labels
        ]
        drawn = [y[r] for y, r in zip(labels, rows, strict=True)]
        means = [_mean_precision(drawn, [s[r] for s, r in zip(logits, rows, strict=True)]) for logits in (one, other)]
        differences.append(means[0] - means[1])
    return float(np.std(differences))
