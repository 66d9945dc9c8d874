"""The project's net, trained plainly: labels of the training window alone, no trees, no other platform."""

from collections.abc import Sequence
from typing import Any

import keras

from training.data.sample import Floats, Sample, balanced
from training.modelling.encoder import fit_encoding
from training.modelling.losses import soft_cross_entropy
from training.modelling.network import NetOptions, build_net, predict
from training.modelling.train_loop import FitOptions, Rows, fit, make_deterministic

STEPS = 600
BATCH = 512
FRAUD_SHARE = 0.15


def fit_net(train: Sample, kinds: Sequence[str], *, seed: int) -> keras.Model:
    """Encoder and residual net on labelled rows; deterministic by seed."""
    make_deterministic(seed)
    encoding = fit_encoding([train.features], kinds, seed=seed)
    net = build_net(encoding, features=len(kinds), seed=seed, options=NetOptions())
    pools = {"train": {"features": train.features, "target": train.label.astype("float32")}}
    draws = {"train": balanced(train.label, steps=STEPS, batch=BATCH, share=FRAUD_SHARE, seed=seed)}

    def loss(batch: dict[str, Rows], _share: object) -> Any:  # noqa: ANN401  # a tensor
        rows = batch["train"]
        return soft_cross_entropy(net(rows["features"], training=True), rows["target"])

    fit(loss, net.trainable_variables, pools, draws, options=FitOptions(learning_rate=2e-3, mask_rate=0.05), seed=seed)
    return net


def net_scores(train: Sample, test: Floats, kinds: Sequence[str], *, seed: int) -> Floats:
    """Logits of the tested rows, float32 [t]."""
    return predict(fit_net(train, kinds, seed=seed), test)
