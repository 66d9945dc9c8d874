"""Pre-training on source platforms: trees first, then nets that learn from the labels and from the trees at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import lightgbm
import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from training.data.sample import MIN_FRAUDS, Floats, Sample, balanced, check_trainable, thin, uniform
from training.modelling.base import Base, MappedTrees
from training.modelling.encoder import EncodingOptions, fit_encoding
from training.modelling.losses import soft_cross_entropy
from training.modelling.network import FraudNet, NetOptions, build_net, get_weights, predict
from training.modelling.train_loop import FitOptions, Progress, Report, Rows, fit, make_deterministic, quiet
from training.modelling.trees.boosting import BoostOptions, booster_logits, fit_booster
from training.modelling.trees.tree_choice import HALF, choose_options

KEPT_CELLS: Final = 30_000_000
"""Rows times features of the source that a base keeps: 120 MB; 220,000 rows of the standard features."""

HELD_OUT_SPANS: Final = 10
"""The held-out rows are so many spans of time: a row's neighbours are of the same attack, and would tell of it."""

NET_SHARES: Final = (0.5, 0.3, 0.15)
"""Of nets beside trees, the first where nothing speaks for another."""


@dataclass(frozen=True, slots=True)
class PretrainOptions:
    """What pre-training costs and aims at.

    Attributes:
        teachers: nets, each from its own seed.
        steps: of each net.
        batch: source rows a step; half as many unlabelled target rows beside them.
        fraud_share: of the source rows in a batch.
        label_weight: of the labels; the rest of the target is the trees' probability.
        max_rows: of the source to train on; every fraud stays.
        kept_rows: of the source to keep for joint adaptation, at most; None: as many as `KEPT_CELLS` allows.
        held_out: share of the source kept from training, for calibration.
        boost: of the trees; None: what the source's later rows speak for.
        threads: of LightGBM.
        net, encoding, fit: of the parts.
    """

    teachers: int = 3
    steps: int = 600
    batch: int = 512
    fraud_share: float = 0.15
    label_weight: float = 0.5
    max_rows: int = 400_000
    kept_rows: int | None = None
    held_out: float = 0.1
    net: NetOptions = field(default_factory=NetOptions)
    encoding: EncodingOptions = field(default_factory=EncodingOptions)
    boost: BoostOptions | None = None
    threads: int = 2
    fit: FitOptions = field(default_factory=lambda: FitOptions(learning_rate=2e-3, mask_rate=0.4))


def log_odds(rate: float) -> float:
    """log(p / (1 − p))."""
    return float(np.log(rate / (1 - rate)))


def pretrain(
    source: Sample,
    unlabelled: Floats,
    *,
    names: Sequence[str],
    kinds: Sequence[str],
    seed: int,
    options: PretrainOptions = PretrainOptions(),
    progress: Progress = quiet,
) -> Base:
    """Trains the base on labelled source rows and, where there are any, unlabelled target rows.

    The nets' target is t = w · y + (1 − w) · p of the trees, at the rate of the balanced batches; target rows have the
    trees' probability alone. Soft targets carry what trees know about the rows between the classes (Hinton et al.
    2015), and target rows show the nets where they will be used.

    Args:
        source: labelled rows of one or more platforms, in time order.
        unlabelled: rows of the target, float32 [u, d]; u may be 0.
        names: of the features.
        kinds: of the features.
        seed: of everything drawn.
        options: see there.
        progress: told what is going on.

    Raises:
        InvalidDataset: nothing can be learnt from the source.
    """
    check_trainable(source, "source")
    make_deterministic(seed)
    prior = source.frauds / len(source)
    train, held_out = _split(thin(source, options.max_rows, seed=seed), options.held_out)
    progress("options of the trees", 0.0)
    boost = options.boost or choose_options(train, kinds, seed=seed, threads=options.threads)
    progress("trees on the source", 0.0)
    booster = fit_booster(train.features, train.label, kinds, seed=seed, options=boost)
    encoding = fit_encoding([train.features, unlabelled], kinds, options=options.encoding, seed=seed)
    pools = soft_pools(booster, train, unlabelled, kinds, options, rate=train.frauds / len(train))
    teachers, held_out_logits = [], []
    for number in range(options.teachers):
        what = f"teacher {number + 1} of {options.teachers}"
        net = build_net(encoding, features=len(kinds), seed=seed + 1000 * number, options=options.net)
        _fit_teacher(
            net, train.label, pools, options=options, seed=seed + 1000 * number, report=partial(progress, what)
        )
        teachers.append(get_weights(net))
        held_out_logits.append(predict(net, held_out.features))
    trees = booster_logits(booster, held_out.features, kinds)
    return Base(
        names=tuple(names),
        kinds=tuple(kinds),
        encoding=encoding,
        net_options=options.net,
        teachers=tuple(teachers),
        booster=booster,
        boost=boost,
        net_share=_net_share(np.mean(held_out_logits, axis=0), trees, held_out.label),
        source=thin(train, options.kept_rows or KEPT_CELLS // len(kinds), seed=seed),
        held_out=held_out,
        source_prior=prior,
        fraud_share=options.fraud_share,
    )


def teach_net(
    net: FraudNet,
    trees: lightgbm.Booster | MappedTrees,
    source: Sample,
    unlabelled: Floats,
    kinds: Sequence[str],
    *,
    rate: float,
    options: PretrainOptions,
    seed: int,
    report: Report,
) -> None:
    """Trains one net as pre-training does, on labels and the trees' probabilities.

    Args:
        net: as it is to start.
        trees: of the source.
        source: labelled rows.
        unlabelled: rows of the target, [u, d]; u may be 0.
        kinds: of the features.
        rate: of fraud where the trees were trained.
        options: its steps, batch, shares and descent count.
        seed: of everything drawn.
        report: told the share of steps done.
    """
    pools = soft_pools(trees, source, unlabelled, kinds, options, rate=rate)
    _fit_teacher(net, source.label, pools, options=options, seed=seed, report=report)


def soft_pools(
    trees: lightgbm.Booster | MappedTrees,
    source: Sample,
    unlabelled: Floats,
    kinds: Sequence[str],
    options: PretrainOptions,
    *,
    rate: float,
) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Rows with what nets are to say of them: "source" and, where there are any, "target"; see `pretrain`."""
    shift = log_odds(options.fraud_share) - log_odds(rate)
    soft = {
        name: _sigmoid(booster_logits(trees, rows, kinds) + shift)
        for name, rows in (("source", source.features), ("target", unlabelled))
    }
    mixed = options.label_weight * source.label + (1 - options.label_weight) * soft["source"]
    pools: dict[str, dict[str, npt.NDArray[Any]]] = {
        "source": {"features": source.features, "target": mixed.astype(np.float32)}
    }
    if len(unlabelled):
        pools["target"] = {"features": unlabelled, "target": soft["target"]}
    return pools


def _fit_teacher(
    net: FraudNet,
    label: npt.NDArray[np.int8],
    pools: dict[str, dict[str, npt.NDArray[Any]]],
    *,
    options: PretrainOptions,
    seed: int,
    report: Report,
) -> None:
    draws = {"source": balanced(label, steps=options.steps, batch=options.batch, share=options.fraud_share, seed=seed)}
    if "target" in pools:
        count = len(pools["target"]["target"])
        draws["target"] = uniform(count, steps=options.steps, batch=options.batch // 2, seed=seed)

    def loss(batch: dict[str, Rows], _share: object) -> Any:  # noqa: ANN401  # a tensor
        parts = [soft_cross_entropy(net(rows["features"], training=True), rows["target"]) for rows in batch.values()]
        return sum(parts[1:], parts[0])

    fit(loss, net.trainable_variables, pools, draws, options=options.fit, seed=seed, report=report)


def without_source(
    target: Sample, unlabelled: Floats, *, names: Sequence[str], kinds: Sequence[str], seed: int
) -> Base:
    """A base for a platform that is alone: an encoding fitted on its own rows, and nothing learnt.

    Args:
        target: its labelled rows.
        unlabelled: its rows as they come, float32 [u, d].
        names: of the features.
        kinds: of the features.
        seed: of everything drawn.

    Raises:
        InvalidDataset: nothing can be learnt from the labels.
    """
    check_trainable(target, "target")
    options = PretrainOptions()
    return Base(
        names=tuple(names),
        kinds=tuple(kinds),
        encoding=fit_encoding([unlabelled], kinds, options=options.encoding, seed=seed),
        net_options=options.net,
        teachers=(),
        booster=None,
        boost=HALF,
        net_share=NET_SHARES[-1],
        source=target.take(slice(0, 0)),
        held_out=target.take(slice(0, 0)),
        source_prior=target.frauds / len(target),
        fraud_share=options.fraud_share,
    )


def _net_share(nets: Floats, trees: Floats, label: npt.NDArray[np.int8]) -> float:
    """Of nets beside trees, each at unit spread, in what ranks these rows best."""
    nets, trees = (logits / max(float(logits.std()), 1e-6) for logits in (nets, trees))
    ranked = [average_precision_score(label, share * nets + (1 - share) * trees) for share in NET_SHARES]
    return NET_SHARES[int(np.argmax(ranked))]


def _split(sample: Sample, share: float) -> tuple[Sample, Sample]:
    """(train, held out): the last part of each of `HELD_OUT_SPANS` spans; some frauds are on both sides."""
    spans = np.array_split(np.arange(len(sample)), HELD_OUT_SPANS)
    out = np.zeros(len(sample), bool)
    for span in spans:
        out[span[len(span) - round(share * len(span)) :]] = True
    wanted = min(MIN_FRAUDS, sample.frauds // 2)
    for side in (True, False):
        frauds = np.flatnonzero(sample.label == 1)
        lacking = max(wanted - int(np.count_nonzero(out[frauds] == side)), 0)
        out[frauds[out[frauds] != side][:lacking]] = side
    return sample.take(~out), sample.take(out)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))), np.float32)
