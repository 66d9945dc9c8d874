"""Published versions that need no training."""

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from fraud.decisions.policy import Policy
from fraud.features.encoder import SPEC, features_fingerprint, history_fingerprint
from fraud.history.history import HistoryConfig
from fraud.models.bundle import Manifest
from training.registry import versions as registry


def publish(root: Path, column: str, *, features: str | None = None) -> int:
    """A version whose score is the squashed value of one feature."""
    built = registry.workspace(root)
    place = SPEC.names.index(column)

    class Squash(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        @tf.function(input_signature=[tf.TensorSpec([None, SPEC.width], tf.float32, name="features")])  # type: ignore[untyped-decorator]  # as above
        def serve(self, features: object) -> dict[str, object]:
            score = tf.sigmoid((features[:, place] - 11.0) / 2.0)  # type: ignore[index]  # a tensor
            return {"score": score, "raw": score}

    module = Squash()
    tf.saved_model.save(module, str(built), signatures={"serve": module.serve})
    (built / "policy.json").write_text(Policy.default("EUR").model_dump_json(), encoding="utf-8")
    (built / "metrics.json").write_text("{}", encoding="utf-8")
    np.savez(built / "golden.npz", features=np.zeros((1, SPEC.width), np.float32), score=[0.5], raw=[0.5])
    files = [f for f in built.rglob("*") if f.is_file()]

    def finish(version: int) -> None:
        manifest = Manifest(
            version=version,
            created_at="2026-01-01T00:00:00+00:00",
            features_fingerprint=features or features_fingerprint(SPEC, HistoryConfig()),
            history_fingerprint=history_fingerprint(HistoryConfig()),
            feature_names=SPEC.names,
            strategy="squash",
            seed=1,
            prior=0.1,
            files={f.relative_to(built).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
        )
        (built / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")

    return registry.publish(root, built, "candidates", finish)
