"""The work that every scoring system does: decode, features with history, one SavedModel, a decision.

It is this project's own code, so that a peer is not charged for a slower one. What differs between systems is how
the records reach it, how many at a time, and how the decisions leave.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from fraud.decoding.decoder import Decoder
from fraud.features.encoder import SPEC, Encoder, Status, features_fingerprint
from fraud.history.history import History, HistoryConfig
from fraud.models.serving import read_serving
from fraud.money import Rates

Float32s: TypeAlias = npt.NDArray[np.float32]
Predict: TypeAlias = Callable[[Float32s], Float32s]
"""features [n, d] -> calibrated score [n]."""

HOUR_US = 3_600_000_000
THRESHOLD = 0.5


class Decided(msgspec.Struct):
    """What a system writes for each transaction."""

    transaction_id: str
    customer_id: str
    score: float
    action: str


class Scorer:
    """Turns records into decisions; one per partition, because history is."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._encode = msgspec.json.Encoder().encode
        self._decoder = Decoder(Rates.default(), max_ahead_us=HOUR_US)
        self._encoder = Encoder(SPEC, History(HistoryConfig()))

    def __call__(self, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> list[bytes]:
        """The decisions on the transactions among the records, in order; JSON."""
        decoded = self._decoder.decode(values, [ms * 1000 for ms in timestamps_ms])
        encoded = self._encoder.encode(decoded.batch)
        rows = np.flatnonzero(encoded.status == Status.SCORE)
        if not len(rows):
            return []
        scores = self._predict(encoded.features[rows]).tolist()
        transaction_ids, customer_ids, _ = decoded.told(rows)
        return [
            self._encode(Decided(transaction_id, customer_id, score, "block" if score > THRESHOLD else "allow"))
            for transaction_id, customer_id, score in zip(transaction_ids, customer_ids, scores, strict=True)
        ]


def champion(models_dir: Path) -> Path:
    """The bundle that the service would serve."""
    version = read_serving(models_dir).slot(features_fingerprint(SPEC, HistoryConfig())).champion
    return models_dir / str(version)


def saved_model(models_dir: Path) -> Predict:
    """The champion as TensorFlow's own loader gives it: the recommended way to serve a SavedModel in process."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(champion(models_dir)))
    serve = loaded.signatures["serve"]

    def predict(features: Float32s) -> Float32s:
        scores: Float32s = serve(features=tf.constant(features))["score"].numpy()
        return scores

    predict.keeps = loaded  # type: ignore[attr-defined] # a signature alone does not keep its variables alive
    return predict


def keras_predict(models_dir: Path) -> Predict:
    """The champion behind `model.predict`, as tutorials call it; Keras 3 reads a SavedModel as one layer."""
    import keras

    layer = keras.layers.TFSMLayer(str(champion(models_dir)), call_endpoint="serve")
    inputs = keras.Input((SPEC.width,), name="features")
    model = keras.Model(inputs, layer(inputs))

    def predict(features: Float32s) -> Float32s:
        scores: Float32s = model.predict(features, verbose=0)["score"]
        return scores

    return predict
