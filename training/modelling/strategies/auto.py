"""A stack of everything that can be learnt from source and target, weighted by what labelled payments say of each.

    t(x) = Σ_m β_m z_m(x)        z_m: logits of member m (`members`), at mean 0 and spread 1 on the target's payments
                                 β: `stacking`, on cross-fitted `evidence`, shrunk towards what is expected beforehand

"No transfer" (trees on the target alone) and "no adaptation" (the source's own) are corners of the stack, and so is the
plain LightGBM on the payment's own columns that anybody would try first. Members that count for almost nothing are left
out. Served is the cheapest graph that ranks payments as the stack does: a distilled student, else the trees without the
nets, else the trees beside a student of the nets (which a net learns more easily than trees), else all of it.

Before all this stands what needs no more than three frauds: of a source that hardly ranks its own held-out frauds, or
ranks the target's below its other payments, little is expected.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from training.data.sample import Floats, some_rows
from training.modelling.boosting_graph import Forest, Weighted
from training.modelling.columns.checks import usable_columns
from training.modelling.distillation import distil, fidelity
from training.modelling.network import FraudNet, predict
from training.modelling.strategies.joint_distilled import distillation_pool
from training.modelling.strategies.stack.evidence import Evidence, Scale, gather, scale_rows
from training.modelling.strategies.stack.members import Fitted, FittedForest, FittedNets, FittedTrees, members
from training.modelling.strategies.stack.stack_graph import Stack
from training.modelling.strategies.stack.stacking import expected, fit_weights
from training.modelling.strategies.task import Adapted, Scorer, Task
from training.modelling.trees.boosting import booster_logits

KNOWS: Final = 0.65
"""ROC AUC of a source that knows something: shuffled sources reached 0.60, the weakest sound one 0.72."""

CHANCE: Final = 1.64
"""Standard deviations that noise exceeds once in twenty times."""

COMPARED_ROWS: Final = 20_000

TINY: Final = 0.04
"""Share of the weights below which a member is left out."""

FAITHFUL: Final = 0.9
"""Share of a model's riskiest hundredth that a cheaper one has to find among its own."""

WITNESSES: Final = 20_000
"""Unlabelled rows, at most a fifth of them, kept from distillation to judge by."""


@dataclass(frozen=True, slots=True)
class Blend:
    """Trained members and what each counts; calling it gives logits [n]."""

    models: Mapping[str, Fitted]
    scales: Mapping[str, Scale]
    weights: Mapping[str, float]

    def __call__(self, features: Floats) -> Floats:
        """Logits, float32 [n]."""
        parts = [weight * self.scales[name](self.models[name](features)) for name, weight in self.weights.items()]
        return np.asarray(np.sum(parts, axis=0), np.float32)

    def without_nets(self) -> Self:
        """The trees of it."""
        kept = {n: w for n, w in self.weights.items() if not isinstance(self.models[n], FittedNets)}
        return type(self)(self.models, self.scales, kept)

    def only_nets(self) -> Self:
        """The nets of it."""
        kept = {n: w for n, w in self.weights.items() if isinstance(self.models[n], FittedNets)}
        return type(self)(self.models, self.scales, kept)

    def and_net(self, net: FraudNet) -> Self:
        """With a net whose logits are added as they are."""
        models: dict[str, Fitted] = {**self.models, "student": FittedNets((net,))}
        return type(self)(models, {**self.scales, "student": Scale(0.0, 1.0)}, {**self.weights, "student": 1.0})

    def graph(self, kinds: tuple[str, ...]) -> Scorer:
        """The same in the graph."""
        trees: list[Weighted] = []
        nets: list[tuple[FraudNet, float]] = []
        forests: list[tuple[Forest, float]] = []
        shift = 0.0
        for name, weight in self.weights.items():
            model, per_logit = self.models[name], weight / self.scales[name].spread
            shift -= per_logit * self.scales[name].mean
            if isinstance(model, FittedTrees):
                trees += [(booster, per_logit) for booster in model.boosters]
            elif isinstance(model, FittedForest):
                forests.append((Forest(model.forest, kinds), per_logit))
            elif isinstance(model, FittedNets):
                nets += [(net, per_logit / len(model.nets)) for net in model.nets]
            else:
                raise TypeError(f"no graph for {type(model).__name__}")
        return Stack(trees=Forest(trees, kinds) if trees else None, nets=nets, forests=forests, shift=shift)


def adapt(task: Task) -> Adapted:
    """Evidence, weights, the members that count, and what is served of them."""
    available = members(task, usable_columns([task.unlabelled, task.target.features, task.base.source.features]))
    useless = why_useless(task)
    expectation = expected(task, list(available), useless=bool(useless))
    evidence = gather(task, available)
    weights = expectation if evidence is None else fit_weights(evidence.scores, evidence.label, expectation)
    kept = without_tiny(weights)
    shared = scale_rows(task)
    models, scales = {}, {}
    for name in kept:
        task.progress(f"training {name}", 0.0)
        models[name] = available[name](task)
        scales[name] = Scale.of(models[name](shared))
    blend = Blend(models, scales, kept)
    scorer, served = serve(task, blend)
    held_out = None if evidence is None else stacked(evidence, kept, len(task.target))
    return Adapted(scorer, held_out, "; ".join(filter(None, (_told(kept, evidence), useless, served))))


def without_tiny(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights that count, with the same sum, the largest first."""
    total = sum(weights.values())
    kept = {n: w for n, w in sorted(weights.items(), key=lambda item: -item[1]) if w >= TINY * total}
    return {name: weight * total / sum(kept.values()) for name, weight in kept.items()}


def stacked(evidence: Evidence, weights: Mapping[str, float], count: int) -> Floats:
    """Cross-fitted logits of the stack for each labelled row, float32 [count], NaN where there are none."""
    logits = np.full(count, np.nan, np.float32)
    together = np.sum([weight * evidence.scores[name] for name, weight in weights.items()], axis=0)
    logits[evidence.rows] = together[: len(evidence.rows)]
    return logits


def serve(task: Task, blend: Blend) -> tuple[Scorer, str]:
    """(the cheapest graph that ranks payments as the blend does, what it is)."""
    kinds = task.base.kinds
    source, unlabelled, labelled = distillation_pool(task)
    drawn = np.random.default_rng(task.seed).permutation(len(unlabelled))
    count = min(WITNESSES, len(unlabelled) // 5)
    witnesses = unlabelled[drawn[:count]]
    pool = [part for part in (source, unlabelled[np.sort(drawn[count:])], labelled) if len(part)]
    truth = blend(witnesses)
    student = _student(task, pool, blend)
    found = fidelity(truth, predict(student, witnesses))
    if found >= FAITHFUL:
        return student, f"served by a student that finds {found:.0%} of the riskiest"
    trees, nets = blend.without_nets(), blend.only_nets()
    told = f"a student of all found {found:.0%} of the riskiest"
    if trees.weights and (close := fidelity(truth, trees(witnesses))) >= FAITHFUL:
        return trees.graph(kinds), f"served by its trees, which find {close:.0%} of the riskiest ({told})"
    if trees.weights:
        beside = trees.and_net(_student(task, pool, nets))
        close = fidelity(truth, beside(witnesses))
        if close >= FAITHFUL:
            return beside.graph(kinds), f"served by its trees and a student of its nets: {close:.0%} ({told})"
    return blend.graph(kinds), f"served as it is ({told})"


def _student(task: Task, pool: list[Floats], teacher: Blend) -> FraudNet:
    return distil(
        pool,
        teacher,
        kinds=task.base.kinds,
        seed=task.seed,
        options=task.options.distil,
        report=lambda share: task.progress("student", share),
    )


def why_useless(task: Task) -> str:
    """Why the source can teach nothing: it knows no fraud of its own, or takes the target's for the safest; "" if not.

    Were the score noise to the target, the mean rank of n frauds (ROC AUC) would be 1/2 ± (12 n)^-1/2.
    """
    base, target = task.base, task.target
    if not len(base.source):
        return ""
    own = _auc(task, base.held_out.features, base.held_out.label)
    if own < KNOWS:
        return f"the source hardly ranks its own held-out frauds, AUC {own:.2f}"
    frauds, rows = target.features[target.label == 1], some_rows(task.unlabelled, COMPARED_ROWS, seed=task.seed)
    theirs = _auc(task, np.concatenate([frauds, rows]), np.repeat([1, 0], [len(frauds), len(rows)]))
    if theirs < 0.5 - CHANCE * (12 * target.frauds) ** -0.5:
        return f"the source ranks the target's {target.frauds} frauds below its other payments, AUC {theirs:.2f}"
    return ""


def _auc(task: Task, features: Floats, label: npt.NDArray[Any]) -> float:
    """Of the source trees' score on these rows."""
    return float(roc_auc_score(label, booster_logits(task.base.trees, features, task.base.kinds)))


def _told(weights: Mapping[str, float], evidence: Evidence | None) -> str:
    """The weights, and how well the stack and its best member ranked what they had not seen."""
    total = sum(weights.values())
    shares = ", ".join(f"{name} {weight / total:.0%}" for name, weight in weights.items())
    if evidence is None:
        return f"{shares}, as expected: too few frauds to compare"
    together = np.sum([weight * evidence.scores[name] for name, weight in weights.items()], axis=0)
    alone = {name: float(average_precision_score(evidence.label, z)) for name, z in evidence.scores.items()}
    best = max(alone, key=lambda name: alone[name])
    return (
        f"{shares} (average precision on {int(evidence.label.sum())} frauds not seen: "
        f"{average_precision_score(evidence.label, together):.3f}, {best} alone {alone[best]:.3f})"
    )
