"""A small model for tests: the larger the amount, the riskier. As a fake, and as a real bundle in a model directory."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fraud.decisions.policy import CostModel, Policy
from fraud.features.catalogue import SPEC, history_config, spec_of
from fraud.features.encoder import features_fingerprint
from fraud.features.platform import Platform
from fraud.features.risk_tables import RiskTables
from fraud.history.history import HistoryConfig, history_fingerprint
from fraud.models.bundle import BLESSED, Manifest, checksum, write_manifest
from fraud.models.serving import SERVING
from service.ports import Float32s, Models

AMOUNT = SPEC.names.index("amount")
HALF = 500.0
"""Amount that scores one half, in units of the base currency."""

CREATED = "2025-03-01T00:00:00+00:00"


def policy() -> Policy:
    """Blocks at about one half, whatever the amount; nothing below a tenth is flagged."""
    return Policy.from_costs(CostModel(), base_currency="EUR", flag_from=0.1)


class AmountModel:
    """`service.ports.Model` by a formula: score = amount / (amount + `half`)."""

    def __init__(self, version: int = 1, *, half: float = HALF) -> None:
        self.version = version
        self.policy = policy()
        self.policy_version = self.policy.version
        self.risk = RiskTables()
        self.created_at_us = 0
        self._half = half

    def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
        """See `service.ports.Model.score`."""
        amount = features[:, AMOUNT]
        score = (amount / (amount + np.float32(self._half))).astype(np.float32)
        return score, score

    def explain(self, features: Float32s) -> Float32s:
        """See `service.ports.Model.explain`: the amount is the whole reason."""
        contributions = np.zeros_like(features)
        contributions[:, AMOUNT] = 1.0
        return contributions


class FixedModels:
    """`service.ports.ModelSource` that a test sets."""

    def __init__(self, champion: AmountModel | None = None, shadow: AmountModel | None = None) -> None:
        self.models = Models(champion or AmountModel(), shadow)

    def current(self) -> Models:
        """See `service.ports.ModelSource.current`."""
        return self.models


def write_bundle(
    root: Path,
    version: int = 1,
    *,
    half: float = HALF,
    partitions: int = 1,
    platform: Platform | None = None,
    poison: float | None = None,
    slow: tuple[float, float] | None = None,
    rules: Policy | None = None,
    risk: RiskTables | None = None,
    key: str | None = None,
    unscored: float | None = None,
    deed: Callable[[Any], Any] | None = None,
    **facts: Any,  # noqa: ANN401 - any field of a manifest
) -> Path:
    """The same formula as a blessed SavedModel `<root>/<version>`.

    Args:
        root: the model directory.
        version: its number.
        half: amount that scores one half.
        partitions: that it is made for.
        platform: that it is made for; by default the standard one with so many partitions.
        poison: amount at which the graph raises.
        slow: amount at which the graph takes so many seconds.
        rules: its policy; `policy()` by default.
        risk: its dated risk tables.
        key: signs its manifest.
        unscored: amount whose score is NaN; NaN for an absent one.
        deed: what else the graph does, amounts to an integer.
        facts: other fields of its manifest.
    """
    import tensorflow as tf

    platform = platform or Platform(partitions=partitions)
    spec, config = spec_of(platform), history_config(platform)

    class Formula(tf.Module):  # type: ignore[misc] # TensorFlow has no types
        @tf.function(  # type: ignore[untyped-decorator] # as above
            input_signature=[tf.TensorSpec([None, spec.width], tf.float32, name="features")]
        )
        def serve(self, features: Any) -> Any:  # noqa: ANN401 - as above
            amount = features[:, AMOUNT]
            score = amount / (amount + half)
            score = tf.clip_by_value(tf.where(tf.math.is_nan(score), 0.0, score), 0.0, 1.0)
            if unscored is not None:
                hit = tf.math.is_nan(amount) if np.isnan(unscored) else amount == unscored
                score = tf.where(hit, np.nan, score)
            if deed is not None:
                score += tf.cast(deed(amount), tf.float32) * 0
            if poison is not None:
                tf.debugging.assert_none_equal(amount, tf.constant(poison, tf.float32))
            if slow is not None:
                score += tf.cast(_wait(tf, tf.reduce_any(amount == slow[0]), slow[1]) * 0, tf.float32)
            return {"score": score, "raw": score}

        @tf.function(  # type: ignore[untyped-decorator] # as above
            input_signature=[tf.TensorSpec([None, spec.width], tf.float32, name="features")]
        )
        def explain(self, features: Any) -> Any:  # noqa: ANN401 - as above
            return {"contributions": tf.zeros_like(features) + tf.one_hot(AMOUNT, spec.width)}

    path = root / str(version)
    formula = Formula()
    tf.saved_model.save(formula, str(path), signatures={"serve": formula.serve, "explain": formula.explain})
    features = np.zeros((4, spec.width), np.float32)
    features[:, AMOUNT] = [0, 1, 500, 1000]
    score = features[:, AMOUNT] / (features[:, AMOUNT] + np.float32(half))
    np.savez(path / "golden.npz", features=features, score=score, raw=score)
    (path / "policy.json").write_text((rules or policy()).model_dump_json())
    (path / "metrics.json").write_text("{}")
    if risk is not None:
        risk.to_file(path / "risk")
    files = {file.relative_to(path).as_posix(): checksum(file) for file in sorted(path.rglob("*")) if file.is_file()}
    manifest = Manifest(
        **{
            "version": version,
            "created_at": CREATED,
            "features_fingerprint": features_fingerprint(spec, config),
            "history_fingerprint": history_fingerprint(config),
            "feature_names": spec.names,
            "strategy": "formula",
            "seed": 0,
            "prior": 0.01,
            "partitions": platform.partitions,
            "platform": platform,
            "files": files,
            **facts,
        }
    )
    write_manifest(path, manifest, key)
    (path / BLESSED).touch()
    return path


def _wait(tf: Any, needed: Any, seconds: float) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """The time in seconds, in the graph, `seconds` later if `needed`."""
    end = tf.timestamp() + tf.where(needed, tf.constant(seconds, tf.float64), tf.constant(0, tf.float64))
    return tf.while_loop(lambda now: now < end, lambda _: tf.timestamp(), [tf.timestamp()])[0]


def fingerprint() -> str:
    """Of the features that this code computes."""
    return features_fingerprint(SPEC, HistoryConfig())


def serve(root: Path, champion: int, shadow: int | None = None, *, features: str | None = None) -> None:
    """Makes versions serve these features, the standard ones by default, as a promotion does: by replacing one file."""
    new = root / f"{SERVING}.new"
    new.write_text(json.dumps({features or fingerprint(): {"champion": champion, "shadow": shadow}}))
    shutil.move(new, root / SERVING)
