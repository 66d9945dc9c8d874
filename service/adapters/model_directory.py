"""Models from the model directory: verified and warmed up in the background, swapped in between two batches."""

import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

from fraud.decisions.policy import InvalidPolicy, Policy
from fraud.features.platform import Platform
from fraud.features.risk_tables import RiskTables
from fraud.models.bundle import (
    BLESSED,
    MANIFEST,
    SIGNATURE,
    InvalidBundle,
    Manifest,
    check_extremes,
    check_golden,
    read_manifest,
    verify,
)
from fraud.models.serving import SERVING, Slot, serving_slot, version_path
from runtime.errors import Misconfigured
from service.ports import Float32s, Model, Models

CLOSE_SECONDS: Final = 30.0
"""Longer than a load takes; one that hangs must not keep a failing process alive."""

RETRY_SECONDS: Final = (5.0, 15.0, 60.0, 300.0)
"""Pauses before a version that was refused is tried again, the last one for as long as it is to serve: a shared volume
may show serving.json before the folder, and an attempt costs the scoring thread some of its core."""

MOST_BYTES: Final = 1 << 30
"""Of a bundle; a model that scores a payment in microseconds has a few megabytes."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Expected:
    """Requirements that a bundle must meet.

    Attributes:
        features_fingerprint: of the running code.
        platform: that the service scores for.
        feature_names: in order.
        later: those of them that are not known yet at the stage; a bundle that holds one is refused.
        key: that manifests must be signed under; None where the platform has none.
    """

    features_fingerprint: str
    platform: Platform
    feature_names: tuple[str, ...]
    later: tuple[str, ...] = ()
    key: str | None = field(default=None, repr=False)


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


def load(path: Path, expected: Expected, *, batch_records: int, shadow: bool = False) -> SavedModel:
    """Verifies, loads, proves and warms up the bundle in `path`.

    All of it happens on a copy that nobody else can write: what was verified is what is loaded.

    Raises:
        InvalidBundle: the first thing that is wrong with it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="fraud-bundle-") as folder:
            copy = Path(folder) / path.name
            try:
                _copy(path, copy, expected.key)
                return _load(copy, expected, batch_records=batch_records, shadow=shadow)
            except Exception as error:
                # One boundary for all that numpy, zipfile, pydantic and TensorFlow raise on what somebody else wrote.
                raise InvalidBundle(_one_line(error).replace(str(copy), str(path))) from error
    except OSError as error:
        raise InvalidBundle(
            f"{path} cannot be copied into {tempfile.gettempdir()}: {error.strerror or error}"
        ) from None


def _copy(path: Path, copy: Path, key: str | None) -> None:
    """Copies what the manifest lists, and nothing else."""
    names = [MANIFEST, *read_manifest(path, key).files]
    names += [name for name in (SIGNATURE, BLESSED) if (path / name).exists()]
    left = MOST_BYTES
    for name in names:
        found = (path / name).stat()
        left -= found.st_size
        if not stat.S_ISREG(found.st_mode) or left < 0:
            raise InvalidBundle(f"{path / name} is no file, or larger than a model is: export the bundle again")
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path / name, copy / name)


def _load(path: Path, expected: Expected, *, batch_records: int, shadow: bool) -> SavedModel:
    manifest = _verify(path, expected, shadow=shadow)
    policy = Policy.parse((path / "policy.json").read_bytes())
    risk = RiskTables.from_dir(path / "risk")
    model = SavedModel(_read(path), manifest, policy, risk)
    check_golden(path, manifest, model.score)
    check_extremes(path, len(manifest.feature_names), model.score)
    _warm_up(model, len(expected.feature_names), batch_records)
    return model


def _verify(path: Path, expected: Expected, *, shadow: bool) -> Manifest:
    manifest = verify(
        path,
        features_fingerprint=expected.features_fingerprint,
        partitions=expected.platform.partitions,
        stage=expected.platform.stage,
        require_blessing=not shadow,
        key=expected.key,
    )
    if manifest.feature_names != expected.feature_names:
        raise InvalidBundle(f"{path} names other features than this code has: train it again with this code")
    early = [name for name in manifest.feature_names if name in expected.later]
    if early:
        raise InvalidBundle(
            f"{path} reads {early[0]}, which is not known yet at {expected.platform.stage}: train without it"
        )
    if mismatch := manifest.platform.mismatch(expected.platform):
        raise InvalidBundle(f"{path} was made for {mismatch}: train it for this platform")
    return manifest


def _one_line(error: Exception) -> str:
    """An error as one line."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, InvalidBundle | InvalidPolicy) else f"{type(error).__name__}: {text}"


def _read(path: Path) -> Any:  # noqa: ANN401 - TensorFlow has no types
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
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

    A version that cannot be used is refused, counted through `swapped`, and the one before goes on; it is tried again
    after a pause. The champion before the present one is kept in memory, so that a rollback takes no loading, until
    another version is loaded.
    """

    def __init__(
        self,
        root: Path,
        expected: Expected,
        *,
        batch_records: int,
        poll_seconds: float,
        swapped: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._expected = expected
        self._batch_records = batch_records
        self._poll_seconds = poll_seconds
        self._swapped = swapped
        self._monotonic = monotonic
        self._models: Models | None = None
        self._before: Model | None = None
        self._seen: object = None
        self._failures = 0
        self._retry_at = 0.0
        self._looked = monotonic()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

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
        self._looked = self._monotonic()
        self._thread = threading.Thread(target=self._watch, name="models", daemon=True)
        self._thread.start()

    def current(self) -> Models:
        """See `service.ports.ModelSource.current`."""
        if self._models is None:
            raise Misconfigured(f"no model is loaded from {self._root}")
        return self._models

    def close(self) -> None:
        """Stops watching, once a load in hand is done: a process that ends within one is aborted by TensorFlow."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def unwatched(self) -> float:
        """Seconds since the directory was last looked at; grows while a version is loaded."""
        return self._monotonic() - self._looked

    def stuck(self, limit: float) -> str | None:
        """Why a restart is due, None while it is not: who has not looked for `limit` seconds would see no rollback."""
        since = self.unwatched()
        return f"the model directory was not looked at for {since:.0f} s" if since > limit else None

    def _watch(self) -> None:
        while not self._closed.wait(self._poll_seconds):
            self._looked = self._monotonic()
            self.look()

    def look(self) -> None:
        """Takes in what serves now, if that changed, or if it was refused and the pause is over."""
        stamp = self._stamp()
        again = self._failures > 0 and self._monotonic() >= self._retry_at
        if stamp != self._seen or again:
            self._seen = stamp
            self.refresh()

    def refresh(self) -> None:
        """Takes in what serves now; keeps what it has when that cannot be used."""
        try:
            models = self._load(self._slot())
        except Exception as error:  # noqa: BLE001 - whatever a bundle does, this thread must live to see the rollback
            pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self._retry_at = self._monotonic() + pause
            self._swapped("refused")
            _log.error(
                "model refused", error=_one_line(error), serving=self.current().champion.version, retry_in_s=pause
            )
            return
        self._failures = 0
        before = self._models
        if models == before:
            return
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
            found = (self._root / SERVING).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _slot(self) -> Slot:
        return serving_slot(self._root, self._expected.features_fingerprint, self._expected.platform)

    def _load(self, slot: Slot) -> Models:
        champion = self._version(slot.champion, shadow=False)
        return Models(champion, None if slot.shadow is None else self._version(slot.shadow, shadow=True))

    def _version(self, number: int, *, shadow: bool) -> Model:
        """A loaded version, from memory where it serves or has just served."""
        path = version_path(self._root, number, blessed=not shadow)
        known = self._in_memory(number)
        if known is not None:
            _verify(
                path, self._expected, shadow=shadow
            )  # it must still be one that may serve: its blessing may be gone
            return known
        self._before = None  # beside those that serve there is room for one: the one before, or the one that is loaded
        return load(path, self._expected, batch_records=self._batch_records, shadow=shadow)

    def _in_memory(self, number: int) -> Model | None:
        serving = (self._models.champion, self._models.shadow) if self._models else ()
        return next(
            (model for model in (self._before, *serving) if model is not None and model.version == number), None
        )
