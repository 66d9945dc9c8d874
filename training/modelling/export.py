"""A trained model as a bundle: one SavedModel with preprocessing and calibration inside, and all that goes with it.

    serve(features float32 [None, d])   -> {"score": calibrated [n], "raw": [n]}     both 0..1
    explain(features float32 [None, d]) -> {"contributions": [n, d]}                 calibrated log-odds

The first axis is open, so that a batch of any size runs without a new trace. The folder is built apart and renamed into
place with its number, so that no reader ever sees half a version (`training.registry.versions`).
"""

import errno
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fraud.models.bundle import InvalidBundle, Manifest, TrainedOn, check_extremes, checksum, write_manifest
from fraud.models.graph import SAVED_MODEL, InvalidGraph, check_graph
from fraud.models.serving import Area
from training.data.dataset import Dataset, Identity
from training.modelling.boosting_graph import Forest
from training.modelling.calibration import Calibration
from training.modelling.contributions import (
    Attribution,
    ForestAttribution,
    NetAttribution,
    StackAttribution,
    WidenedAttribution,
)
from training.modelling.network import FraudNet
from training.modelling.self_supervised.surprise import Widened
from training.modelling.strategies.stack.stack_graph import Stack
from training.modelling.strategies.task import Scorer
from training.registry.learnt import write_learnt
from training.registry.versions import publish, workspace

Floats: TypeAlias = npt.NDArray[np.float32]

GOLDEN_ROWS: Final = 64
TOLERANCE: Final = 1e-4
"""Of a score, between two correct runtimes or batch sizes."""

EXPORT_TOLERANCE: Final = 1e-5
"""Of a score, between the trained model and the SavedModel read back."""


class ExportError(InvalidBundle):
    """A model that does not survive its own export; the text is one line."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model ready to be exported.

    Attributes:
        scorer: raw features -> logits, in the graph.
        calibration: logit -> calibrated log-odds.
        reference: a typical payment, [d]; contributions are measured against it.
        names: of the features, [d].
        golden: some rows of the target, float32 [m, d].
        strategy, seed, prior, trained_on: for the manifest.
        report: for `metrics.json`: what was chosen, why, and what it was fitted on.
        learnt: hashed ids of the payments whose labels it learnt from, uint64 [m].
        learnt_rank: how models that had not learnt from these ranked them, [m]; None where nobody did.
    """

    scorer: Scorer
    calibration: Calibration
    reference: Floats
    names: tuple[str, ...]
    golden: Floats
    strategy: str
    seed: int
    prior: float
    trained_on: TrainedOn
    report: Mapping[str, object]
    learnt: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    learnt_rank: npt.NDArray[np.floating] | None = None


class ServingModule(tf.Module):
    """The graph that is saved."""

    def __init__(self, candidate: Candidate) -> None:
        super().__init__(name="fraud")
        self.scorer = candidate.scorer
        self.attribution = attribution(candidate.scorer, candidate.reference)
        self.calibration = candidate.calibration
        signature = [tf.TensorSpec([None, len(candidate.names)], tf.float32, name="features")]
        self.serve = tf.function(self._serve, input_signature=signature)
        self.explain = tf.function(self._explain, input_signature=signature)

    def _serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self.scorer(features)
        return {"score": tf.sigmoid(self.calibration.graph(logits)), "raw": tf.sigmoid(logits)}

    def _explain(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        contributions = self.attribution(features)
        logits = self.scorer(features)
        # The map is a curve: each row's contributions are stretched so that they add up on the calibrated scale.
        moved = tf.reduce_sum(contributions, axis=1)
        calibrated = self.calibration.graph(logits) - self.calibration.graph(logits - moved)
        stretch = tf.where(tf.abs(moved) > 1e-3, tf.math.divide_no_nan(calibrated, moved), self.calibration.slopes[0])
        return {"contributions": contributions * stretch[:, None]}


def attribution(scorer: Scorer, reference: Floats) -> Attribution:
    """How this kind of model explains itself."""
    if isinstance(scorer, Forest):
        return ForestAttribution(scorer, len(reference))
    if isinstance(scorer, FraudNet):
        return NetAttribution(scorer, reference)
    if isinstance(scorer, Stack):
        return StackAttribution(scorer, reference)
    if isinstance(scorer, Widened):
        inner = attribution(scorer.scorer, scorer.widen(tf.constant(reference[None])).numpy()[0])
        return WidenedAttribution(scorer, inner, len(reference))
    raise TypeError(f"no attribution for {type(scorer).__name__}")


def learnt_from(
    candidate: Candidate,
    data: Dataset,
    transactions: npt.NDArray[np.uint64],
    *,
    as_received: bool,
    facts: Mapping[str, object],
) -> Candidate:
    """The candidate with what it learnt from, for whoever measures it later.

    Args:
        candidate: as adapted.
        data: every payment that it was given.
        transactions: hashed ids of those whose labels it learnt from.
        as_received: whether `data` is everything up to its last payment; else only the labelled ones were looked at.
        facts: further fields of `TrainedOn`.
    """
    told = dict(facts)
    if as_received and len(data):
        told |= {"as_received": True, "until": datetime.fromtimestamp(int(data.time.max()) / 1e6, UTC).isoformat()}
    return replace(candidate, learnt=transactions, trained_on=candidate.trained_on.model_copy(update=told))


def export_bundle(
    root: Path,
    candidate: Candidate,
    *,
    identity: Identity,
    created_at: datetime,
    parent: int | None,
    policy: bytes,
    write_risk: Callable[[Path], None] | None = None,
    key: str | None = None,
) -> int:
    """Writes a candidate version; its number.

    Args:
        root: the model directory.
        candidate: the model.
        identity: of the features that it was trained on.
        created_at: now, with offset.
        parent: the base it was adapted from.
        policy: content of `policy.json`.
        write_risk: fills the folder of dated risk tables; none leaves it out.
        key: signs the manifest; None where the platform has none.

    Raises:
        ExportError: the saved model does not score like the trained one, or the service would refuse it.
        OSError: the disk; nothing is left behind.
    """

    def fill(path: Path) -> None:
        _save(ServingModule(candidate), path)
        _write_golden(path, candidate)
        (path / "policy.json").write_bytes(policy)
        (path / "metrics.json").write_bytes(to_json(candidate.report))
        write_learnt(path, candidate.learnt, candidate.learnt_rank)
        if write_risk is not None:
            (path / "risk").mkdir()
            write_risk(path / "risk")

    facts = {
        "feature_names": candidate.names,
        "strategy": candidate.strategy,
        "seed": candidate.seed,
        "prior": candidate.prior,
        "trained_on": candidate.trained_on,
        "parent": parent,
        "tolerance": TOLERANCE,
    }
    return write_version(root, "candidates", fill, facts, identity=identity, created_at=created_at, key=key)


def write_version(
    root: Path,
    area: Area,
    fill: Callable[[Path], None],
    facts: Mapping[str, Any],
    *,
    identity: Identity,
    created_at: datetime,
    key: str | None = None,
) -> int:
    """Builds a version apart, adds its manifest and renames it into place; leaves nothing behind on failure.

    Args:
        root: the model directory.
        area: "candidates" or "bases".
        fill: writes everything but the manifest into the folder it is given.
        facts: the manifest's own fields.
        identity: of the features.
        created_at: now, with offset.
        key: signs the manifest; None where the platform has none.
    """
    built = workspace(root)
    try:
        fill(built)
        files = {f.relative_to(built).as_posix(): checksum(f) for f in sorted(built.rglob("*")) if f.is_file()}

        def finish(version: int) -> None:
            manifest = Manifest(
                version=version,
                created_at=created_at.astimezone(UTC).isoformat(timespec="seconds"),
                features_fingerprint=identity.features_fingerprint,
                history_fingerprint=identity.history_fingerprint,
                stage=identity.platform.stage,
                partitions=identity.platform.partitions,
                base_currency=identity.platform.base_currency,
                platform=identity.platform,
                source_versions=identity.sources,
                files=files,
                **facts,
            )
            write_manifest(built, manifest, key)

        return publish(root, built, area, finish)
    except BaseException:
        # Also on Ctrl-C: a half-written version must not stay.
        shutil.rmtree(built, ignore_errors=True)
        raise


def golden_rows(features: Floats, *, seed: int) -> Floats:
    """Rows that a loader repeats: some of the target's, one with nothing in it, one with everything at its limit."""
    drawn = np.random.default_rng(seed).choice(len(features), min(GOLDEN_ROWS, len(features)), replace=False)
    width = features.shape[1]
    extremes = np.stack([np.full(width, np.nan), np.full(width, 2.0**24 - 1), np.zeros(width)]).astype(np.float32)
    return np.concatenate([features[np.sort(drawn)], extremes])


def to_json(value: object) -> bytes:
    """Indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _save(module: ServingModule, path: Path) -> None:
    try:
        tf.saved_model.save(module, str(path), signatures={"serve": module.serve, "explain": module.explain})
    except tf.errors.OpError as error:
        # TensorFlow writes the files itself; the system's words ("No space left on device") stand in its message.
        raise OSError(errno.EIO, f"the model could not be written: {error.message.splitlines()[0]}") from error


def _write_golden(path: Path, candidate: Candidate) -> None:
    """Scores the golden rows with the model read back from disk, and checks it against the one in memory.

    What the service would refuse is noticed here, where it can be mended.
    """
    try:
        check_graph(path / SAVED_MODEL)
    except InvalidGraph as error:
        raise ExportError(f"{error}; add it to fraud.models.graph.ALLOWED if it only computes") from None
    rows = tf.constant(candidate.golden)
    logits = candidate.scorer(rows).numpy()
    loaded = tf.saved_model.load(str(path))

    def serve(features: Floats) -> tuple[Floats, Floats]:
        outputs = loaded.signatures["serve"](features=tf.constant(features))
        return outputs["score"].numpy(), outputs["raw"].numpy()

    score, raw = serve(candidate.golden)
    expected = 1 / (1 + np.exp(-candidate.calibration(logits)))
    worst = float(np.max(np.abs(score - expected)))
    if not worst <= EXPORT_TOLERANCE:  # also refuses NaN
        raise ExportError(f"the saved model differs from the trained one by {worst:.2g}; nothing was written")
    try:
        check_extremes(path, len(candidate.names), serve)
    except InvalidBundle as error:
        raise ExportError(f"{error}; nothing was written") from None
    np.savez(path / "golden.npz", allow_pickle=False, features=candidate.golden, score=score, raw=raw)
