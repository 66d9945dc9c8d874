"""Models from the model directory: verified and warmed up in the background, swapped in between two batches."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from fraud.bundle import SERVING, InvalidBundle, Manifest, Slot, check_golden, read_serving, verify
from fraud.policy import InvalidPolicy, Policy
from fraud.risk import RiskTables
from service.errors import Misconfigured
from service.ports import Float32s, Model, Models

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a bundle must have been made for.

    Attributes:
        features_fingerprint: of the running code.
        partitions: of the input topic.
        stage: that the service scores at.
        base_currency: of all amounts.
        feature_names: in order.
    """

    features_fingerprint: str
    partitions: int
    stage: str
    base_currency: str
    feature_names: tuple[str, ...]


class SavedModel:
    """One SavedModel behind `service.ports.Model`."""

    def __init__(self, loaded: Any, manifest: Manifest, policy: Policy, risk: RiskTables) -> None:  # noqa: ANN401 - TensorFlow has no types
        self._loaded = loaded  # its variables live only as long as it does
        self._serve = loaded.signatures["serve"]
        self._explain = loaded.signatures["explain"]
        self.version = manifest.version
        self.policy = policy
        self.policy_version = policy.version
        self.risk = risk
        self.created_at_us = int(datetime.fromisoformat(manifest.created_at).timestamp() * 1e6)

    def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
        """See `service.ports.Model.score`."""
        import tensorflow as tf

        found = self._serve(features=tf.constant(features))
        return found["score"].numpy(), found["raw"].numpy()

    def explain(self, features: Float32s) -> Float32s:
        """See `service.ports.Model.explain`."""
        import tensorflow as tf

        contributions: Float32s = self._explain(features=tf.constant(features))["contributions"].numpy()
        return contributions


def import_lean() -> None:
    """Has TensorFlow, which this process must not have imported yet, leave out what scoring does not need.

    Its import takes most of a start, and half of that is Keras, which it loads only to be ready for models that are
    built here; ours are SavedModels. It is told so by the variable that selects another Keras, which then is not there.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # noqa: TID251 - TensorFlow has no other way to be told
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # noqa: TID251 - as above


def load(path: Path, expected: Expected, *, batch_records: int, shadow: bool = False) -> SavedModel:
    """Verifies, loads, proves and warms up the bundle in `path`.

    Raises:
        InvalidBundle: the first thing that is wrong with it.
    """
    manifest = verify(
        path,
        features_fingerprint=expected.features_fingerprint,
        partitions=expected.partitions,
        stage=expected.stage,
        require_blessing=not shadow,
    )
    if manifest.feature_names != expected.feature_names:
        raise InvalidBundle(f"{path} names other features than this code has: train it again with this code")
    if manifest.base_currency != expected.base_currency:
        raise InvalidBundle(
            f"{path} was made for amounts in {manifest.base_currency}, this service has {expected.base_currency}: set "
            "FRAUD_BASE_CURRENCY"
        )
    try:
        policy = Policy.parse((path / "policy.json").read_bytes())
        risk = RiskTables.from_dir(path / "risk")
    except (InvalidPolicy, ValueError, OSError) as error:
        raise InvalidBundle(f"{path}: {error}") from None
    model = SavedModel(_read(path), manifest, policy, risk)
    check_golden(path, manifest, model.score)
    _warm_up(model, len(expected.feature_names), batch_records)
    return model


def _read(path: Path) -> Any:  # noqa: ANN401 - TensorFlow has no types
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # noqa: BLE001 - TensorFlow raises anything on a damaged model
        raise InvalidBundle(f"{path}: {' '.join(str(error).split())[:300]}") from None
    missing = {"serve", "explain"} - set(loaded.signatures)
    if missing:
        raise InvalidBundle(f"{path} has no signature {missing.pop()}: export it again")
    return loaded


def _warm_up(model: SavedModel, width: int, batch_records: int) -> None:
    """The first call of each kind and size costs many times the next; that is paid here."""
    for rows in (1, batch_records):
        features = np.full((rows, width), np.nan, np.float32)
        model.score(features)
        model.explain(features[:8])


class ModelDirectory:
    """Watches `serving.json`; see `service.ports.ModelSource`.

    A version that cannot be used is refused, counted through `swapped`, and the one before goes on. The champion before
    the present one is kept in memory, so that a rollback takes no loading, until another version is loaded.
    """

    def __init__(
        self,
        root: Path,
        expected: Expected,
        *,
        batch_records: int,
        poll_seconds: float,
        swapped: Callable[[str], None],
    ) -> None:
        self._root = root
        self._expected = expected
        self._batch_records = batch_records
        self._poll_seconds = poll_seconds
        self._swapped = swapped
        self._models: Models | None = None
        self._before: Model | None = None
        self._seen: object = None
        self._closed = threading.Event()

    def open(self) -> None:
        """Loads what serves now, and begins to watch.

        Raises:
            Misconfigured: there is nothing that could serve.
        """
        self._seen = self._stamp()
        try:
            self._models = self._load(self._slot())
        except InvalidBundle as error:
            raise Misconfigured(str(error)) from None
        threading.Thread(target=self._watch, name="models", daemon=True).start()

    def current(self) -> Models:
        """See `service.ports.ModelSource.current`."""
        if self._models is None:
            raise Misconfigured(f"no model is loaded from {self._root}")
        return self._models

    def close(self) -> None:
        """Stops watching."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._poll_seconds):
            stamp = self._stamp()
            if stamp == self._seen:
                continue
            self._seen = stamp
            self.refresh()

    def refresh(self) -> None:
        """Takes in what serves now; keeps what it has when that cannot be used."""
        try:
            models = self._load(self._slot())
        except InvalidBundle as error:
            self._swapped("refused")
            _log.error("model refused", error=str(error), serving=self.current().champion.version)
            return
        before = self._models
        if before is not None and before.champion is not models.champion:
            self._before = before.champion
        self._models = models
        self._swapped("swapped")
        _log.info(
            "model swapped",
            champion=models.champion.version,
            shadow=models.shadow.version if models.shadow else None,
        )

    def _stamp(self) -> object:
        try:
            stat = (self._root / SERVING).stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _slot(self) -> Slot:
        return read_serving(self._root).slot(self._expected.features_fingerprint)

    def _load(self, slot: Slot) -> Models:
        champion = self._version(slot.champion, shadow=False)
        return Models(champion, None if slot.shadow is None else self._version(slot.shadow, shadow=True))

    def _version(self, number: int, *, shadow: bool) -> Model:
        """A loaded version, from memory where it serves or has just served."""
        path = self._root / str(number)
        if shadow and not path.is_dir():
            path = self._root / "candidates" / str(number)
        known = self._in_memory(number)
        if known is not None:
            self._verify_again(path, shadow=shadow)
            return known
        self._before = None  # beside those that serve there is room for one: the one before, or the one that is loaded
        return load(path, self._expected, batch_records=self._batch_records, shadow=shadow)

    def _in_memory(self, number: int) -> Model | None:
        serving = (self._models.champion, self._models.shadow) if self._models else ()
        return next(
            (model for model in (self._before, *serving) if model is not None and model.version == number), None
        )

    def _verify_again(self, path: Path, *, shadow: bool) -> None:
        """A version in memory must still be one that may serve: its blessing may be gone."""
        verify(
            path,
            features_fingerprint=self._expected.features_fingerprint,
            partitions=self._expected.partitions,
            stage=self._expected.stage,
            require_blessing=not shadow,
        )
