"""A model version on data that it has not seen: its scores, and every figure with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import InvalidPolicy, Policy
from fraud.features.risk_tables import RiskTables
from fraud.models.bundle import BASE, InvalidBundle, Manifest, read_manifest, verify_files
from training.data.dataset import (
    Dataset,
)
from training.data.errors import (
    InvalidDataset,
)
from training.evaluation.bootstrap import MEASURES, REPEATS, difference, interval
from training.evaluation.scores import Scored, figures, reliability

Floats: TypeAlias = npt.NDArray[np.float64]
Json: TypeAlias = dict[str, object]
Graph: TypeAlias = tuple[Any, Any]  # TensorFlow has no types

CHUNK = 20_000
EXPLAINED = 500
"""Rows explained at a time: gradients take sixteen times the memory of scores."""


@dataclass(frozen=True)  # no slots: the graph is kept beside the fields
class Model:
    """A version that was opened to be measured; its graph is loaded once, when it first scores.

    Attributes:
        version: its number.
        manifest: what it is.
        policy: what it would do.
        risk: the dated tables that it ships.
        path: its folder.
    """

    version: int
    manifest: Manifest
    policy: Policy
    risk: RiskTables
    path: Path

    @classmethod
    def read(cls, path: Path, key: str | None = None) -> "Model":
        """A bundle's facts, its files verified; the graph is loaded by `scores`.

        Args:
            path: the version's folder.
            key: that the manifest must be signed under; None where the platform has none.

        Raises:
            InvalidBundle: it is damaged, or a base.
        """
        manifest = read_manifest(path, key)
        if manifest.strategy == BASE:
            raise InvalidBundle(f"version {manifest.version} is a pre-trained base, not a model: adapt it first")
        verify_files(path, manifest)
        try:
            policy = Policy.parse((path / "policy.json").read_bytes())
            risk = RiskTables.from_dir(path / "risk")
        except (InvalidPolicy, ValueError) as error:
            raise InvalidBundle(f"{path}: {error}") from None
        return cls(manifest.version, manifest, policy, risk, path)

    @cached_property
    def _graph(self) -> Graph:
        """The SavedModel (which owns the variables) and its signature."""
        import tensorflow as tf

        loaded = tf.saved_model.load(str(self.path))
        return loaded, loaded.signatures["serve"]

    def scores(self, features: npt.NDArray[np.float32]) -> Floats:
        """Calibrated scores of n rows by the bundle's own graph. Shape [n]."""
        import tensorflow as tf

        _, serve = self._graph
        parts = [
            serve(features=tf.constant(features[start : start + CHUNK]))["score"].numpy()
            for start in range(0, len(features), CHUNK)
        ]
        return np.concatenate([np.zeros(0), *parts]).astype(np.float64)

    def contributions(self, features: npt.NDArray[np.float32]) -> Floats:
        """Every feature's share of each score, in calibrated log-odds, as reasons are made of. Shape [n, d]."""
        import tensorflow as tf

        loaded, _ = self._graph
        explain = loaded.signatures["explain"]
        parts = [
            explain(features=tf.constant(features[start : start + EXPLAINED]))["contributions"].numpy()
            for start in range(0, len(features), EXPLAINED)
        ]
        return np.concatenate([np.zeros((0, features.shape[1])), *parts]).astype(np.float64)


def check_features(model: Model, dataset: Dataset) -> None:
    """InvalidDataset when the data were built by other feature code than the model."""
    has, wants = dataset.identity.features_fingerprint, model.manifest.features_fingerprint
    if has != wants:
        raise InvalidDataset(f"version {model.version} reads features {wants}, this code builds {has}: train it again")


def to_scored(dataset: Dataset, score: Floats) -> Scored:
    """Rows of a data set whose label is known, with their scores."""
    known = dataset.observed
    card = np.where(dataset.card != 0, dataset.card, dataset.customer)
    return Scored(
        score[known],
        dataset.label[known] == 1,
        dataset.time[known],
        dataset.amount[known],
        card[known],
        dataset.customer[known],
        dataset.component[known],
    )


def evaluate(scored: Scored, policy: Policy, *, seed: int = 0, repeats: int = REPEATS) -> Json:
    """Every figure of one model, the main ones with intervals, and its reliability curve.

    Raises:
        InvalidDataset: no label is known.
    """
    if len(scored) == 0:
        raise InvalidDataset("no payment of the period has a known label: choose a later as-of or another period")
    curve = reliability(scored)
    measured: Json = dict(figures(scored, policy))
    if scored.fraud.any() and not scored.fraud.all():
        measured["intervals"] = {
            name: interval(scored, name, seed=seed, repeats=repeats).as_json() for name in MEASURES
        }
    measured["reliability"] = {
        "score": curve.score.tolist(),
        "rate": curve.rate.tolist(),
        "count": curve.count.tolist(),
    }
    return measured


def compare(scored: Scored, others: Mapping[str, Floats], *, seed: int = 0, repeats: int = REPEATS) -> Json:
    """How much better `scored` is than each other model on the same rows, with paired intervals."""
    return {
        name: {
            measure: difference(scored, scores, measure, seed=seed, repeats=repeats).as_json() for measure in MEASURES
        }
        for name, scores in others.items()
    }
