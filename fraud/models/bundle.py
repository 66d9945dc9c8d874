"""The bundle, a model version on disk: its manifest, and all checks before it is loaded.

Layout (that of TensorFlow Serving, so that it can serve the same directory):

    <root>/<n>/{saved_model.pb, variables/, manifest.json, policy.json, metrics.json, golden.npz, learnt.npz, risk/,
                BLESSED}
    <root>/<n>/manifest.hmac the manifest's signature, where the platform has a key
    <root>/candidates/<n>/   the same, until blessed
    <root>/bases/<n>/        pre-trained models, to adapt from; never served
    <root>/serving.json      which version serves which features, see `fraud.models.serving`

Nothing here needs TensorFlow: whoever loads the SavedModel hands a scorer to `check_golden`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Self, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fraud.decoding.batch import Float32s
from fraud.features.platform import STANDARD, Platform
from fraud.models.graph import SAVED_MODEL, InvalidGraph, check_graph
from fraud.privacy.keys import MANIFESTS, derived

Scorer: TypeAlias = Callable[[Float32s], tuple[Float32s, Float32s]]
"""features [m, d] -> (calibrated score [m], raw score [m])."""

Stage: TypeAlias = Literal["pre_auth", "post_auth"]

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.hmac"
BLESSED: Final = "BLESSED"
BASE: Final = "pretrain"
"""The strategy of a pre-trained base; it holds weights and a source sample, no SavedModel."""

LEARNT: Final = "learnt.npz"
"""Which payments a version learnt from: `transaction`, uint64 [m], hashed ids in ascending order, and `rank`, float32
[m], how models that had not learnt from a payment ranked it among those of its time."""

REQUIRED: Final = ("saved_model.pb", "policy.json", "metrics.json", "golden.npz")
EXTREMES: Final = (float("nan"), 0.0, 1.0, -1.0, 2.0**24 - 1, 3e38, -3e38)
"""Every feature of a row at one of these; a model must score them all: a field that is absent, wrong or absurd is no
reason to let a payment through unscored."""

# What TensorFlow or we ourselves read; another form of a SavedModel would be read unchecked.
_KNOWN: Final = re.compile(
    r"saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})|"
    r"policy\.json|metrics\.json|golden\.npz|learnt\.npz|risk/\w+\.npz"
)


class InvalidBundle(Exception):  # noqa: N818 - named like InvalidEvent: what is wrong, not that it is an error
    """A bundle that must not be loaded; the text is one line: what, where, and how to mend it."""


class TrainedOn(BaseModel):
    """Which target data a version learnt from, and how; which payments these are stands in `LEARNT`.

    Attributes:
        since: first event time, ISO 8601, or None without target rows.
        until: last event time.
        as_received: whether it was given everything up to `until`, labelled or not; else a draw of labelled rows.
        rows: labelled target rows.
        frauds: frauds among them.
        options: of pre-training or adaptation, by name.
        code: version and checksum of the program that trained it.
        data: what it read: a file's name -> its SHA-256, a topic's partition -> the offset reached.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: str | None = None
    until: str | None = None
    as_received: bool = False
    rows: int = Field(default=0, ge=0)
    frauds: int = Field(default=0, ge=0)
    options: dict[str, object] = {}
    code: str = ""
    data: dict[str, str] = {}


class Manifest(BaseModel):
    """`manifest.json`: what a model version is and what it demands of whoever serves it.

    Attributes:
        version: the directory's number.
        created_at: ISO 8601 with offset.
        features_fingerprint: of the code that built its features; the service's own must be equal.
        history_fingerprint: of the history below those features.
        feature_names: columns of the model's input, in order.
        stage: when in a payment it may score.
        partitions: of the input topic; histories are per partition, so features depend on it.
        base_currency: of every amount among the features.
        platform: whose features they are; of a version from before platforms were declared, the standard one.
        tolerance: largest difference of a score between two correct runtimes (float32 products differ by batch size).
        strategy: how it was trained; "pretrain" marks a base, which is never served.
        parent: the version it was adapted from.
        source_versions: what its source data were stamped with.
        prior: fraud rate of the target that the calibration assumes.
        files: relative POSIX path -> SHA-256 in hex, of every file but this one and `BLESSED`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = FORMAT
    version: int = Field(ge=1)
    model: str = "fraud"
    created_at: str
    features_fingerprint: str
    history_fingerprint: str
    feature_names: tuple[str, ...] = Field(min_length=1)
    stage: Stage = "pre_auth"
    partitions: int = Field(default=1, ge=1)
    base_currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    platform: Platform = STANDARD
    tolerance: float = Field(default=1e-4, gt=0, le=1e-2)
    strategy: str
    seed: int
    parent: int | None = None
    source_versions: tuple[str, ...] = ()
    trained_on: TrainedOn = TrainedOn()
    prior: float = Field(gt=0, lt=1)
    files: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _of_the_standard_platform(cls, facts: object) -> object:
        """Gives a version that has no platform the one that it was made for."""
        if isinstance(facts, dict) and "platform" not in facts:
            known = {name: facts[name] for name in ("base_currency", "stage", "partitions") if name in facts}
            return {**facts, "platform": known}
        return facts

    @model_validator(mode="after")
    def _of_its_platform(self) -> Self:
        for name in ("base_currency", "stage", "partitions"):
            if getattr(self, name) != getattr(self.platform, name):
                raise ValueError(
                    f"{name} is {getattr(self, name)}, that of its platform {getattr(self.platform, name)}"
                )
        return self

    @field_validator("created_at")
    @classmethod
    def _a_time(cls, text: str) -> str:
        datetime.fromisoformat(text)
        return text

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                raise ValueError(f"{name!r} points outside the bundle")
        return files


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows with the scores that the exporting program saw: features [m, d], score [m], raw [m], all float32."""

    features: Float32s
    score: Float32s
    raw: Float32s


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(path: Path, key: str | None = None) -> Manifest:
    """The manifest of the bundle in directory `path`.

    Args:
        path: the version's directory.
        key: that the manifest must be signed under; None where the platform has none.

    Raises:
        InvalidBundle: it is absent, broken, of another version, or not signed under the key.
    """
    file = path / MANIFEST
    try:
        content = file.read_bytes()
        if key is not None:
            _check_signature(path / SIGNATURE, content, key)
        manifest = Manifest.model_validate_json(content)
    except FileNotFoundError:
        raise InvalidBundle(f"{file} is missing: not a bundle") from None
    except (OSError, ValidationError) as error:
        raise InvalidBundle(f"{file}: {first_line(error)}") from None
    if str(manifest.version) != path.name:
        raise InvalidBundle(f"{file} is of version {manifest.version}: copy that version into its own folder")
    return manifest


def write_manifest(path: Path, manifest: Manifest, key: str | None) -> None:
    """Writes a manifest, and its signature where there is a key."""
    content = (manifest.model_dump_json(indent=2) + "\n").encode()
    (path / MANIFEST).write_bytes(content)
    if key is not None:
        (path / SIGNATURE).write_text(_signature(content, key) + "\n", encoding="ascii")


def _signature(content: bytes, key: str) -> str:
    return hmac.new(derived(key, MANIFESTS), content, "sha256").hexdigest()


def _check_signature(file: Path, content: bytes, key: str) -> None:
    try:
        found = file.read_bytes().strip()
    except FileNotFoundError:
        raise InvalidBundle(f"{file} is missing: export the bundle again with FRAUD_BUNDLE_KEY set") from None
    if not hmac.compare_digest(found, _signature(content, key).encode()):
        raise InvalidBundle(f"{file} is not the manifest's: it was changed, or FRAUD_BUNDLE_KEY is another one")


def verify(
    path: Path,
    *,
    features_fingerprint: str,
    partitions: int,
    stage: str,
    require_blessing: bool = True,
    key: str | None = None,
) -> Manifest:
    """Checks everything about the bundle in `path` that can be checked without loading its model.

    Args:
        path: the version's directory.
        features_fingerprint: of the running code.
        partitions: of the input topic.
        stage: that the service scores at.
        require_blessing: False for the gate and for shadows, which look at candidates.
        key: that the manifest must be signed under; None where the platform has none.

    Raises:
        InvalidBundle: the first thing that is wrong.
    """
    manifest = read_manifest(path, key)
    if manifest.strategy == BASE:
        raise InvalidBundle(f"{path} is a pre-trained base, not a model to serve: adapt it first")
    if require_blessing and not (path / BLESSED).is_file():
        raise InvalidBundle(f"{path} is not blessed: promote it first")
    demands = (
        ("features", manifest.features_fingerprint, features_fingerprint, "train it again with this code"),
        ("partitions", manifest.partitions, partitions, "train it with the topic's number of partitions"),
        ("stage", manifest.stage, stage, "set the service's stage or train for this one"),
    )
    for what, has, wanted, remedy in demands:
        if has != wanted:
            raise InvalidBundle(f"{path} was made for {what} {has}, this service has {wanted}: {remedy}")
    verify_files(path, manifest)
    return manifest


def verify_files(path: Path, manifest: Manifest) -> None:
    """Every file that the manifest lists is there, unchanged; no folder holds one that it does not list.

    A model that may serve is complete, and its graph holds only operations that compute.
    """
    if manifest.strategy != BASE:
        _check_names(path, manifest)
    for name, digest in manifest.files.items():
        try:
            found = checksum(path / name)
        except OSError as error:
            raise InvalidBundle(f"{path / name}: {error.strerror}: copy the bundle again") from None
        if found != digest:
            raise InvalidBundle(f"{path / name} was changed: its checksum differs from the manifest's")
    # Whole folders are loaded (variables/, risk/): a stray file there would get in unchecked.
    for file in path.glob("*/**/*"):
        name = file.relative_to(path).as_posix()
        if file.is_file() and name not in manifest.files:
            raise InvalidBundle(f"{file} is not in the manifest: remove it")
    if manifest.strategy != BASE:
        _check_operations(path)


def _check_operations(path: Path) -> None:
    try:
        check_graph(path / SAVED_MODEL)
    except (OSError, InvalidGraph) as error:
        raise InvalidBundle(f"{path}: {first_line(error)}") from None


def _check_names(path: Path, manifest: Manifest) -> None:
    missing = [name for name in REQUIRED if name not in manifest.files]
    if missing:
        raise InvalidBundle(f"{path / MANIFEST} lists no {missing[0]}: not a complete bundle")
    strange = [name for name in manifest.files if not _KNOWN.fullmatch(name)]
    if strange:
        raise InvalidBundle(f"{path / MANIFEST} lists {strange[0][:80]!r}, which belongs to no bundle")


def read_golden(path: Path) -> Golden:
    """The golden rows of the bundle in `path`; InvalidBundle when they cannot be read."""
    file = path / "golden.npz"
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            golden = Golden(
                *(arrays[name].astype(np.float32, casting="same_kind") for name in ("features", "score", "raw"))
            )
    except Exception as error:  # noqa: BLE001 - numpy, zipfile and zlib raise a dozen kinds on a damaged file
        raise InvalidBundle(f"{file}: {first_line(error)}") from None
    rows = golden.features.shape[:1]
    if golden.features.ndim != 2 or rows == (0,) or (golden.score.shape, golden.raw.shape) != (rows, rows):
        raise InvalidBundle(f"{file} holds no usable rows: export the bundle again")
    return golden


def check_golden(path: Path, manifest: Manifest, scorer: Scorer) -> float:
    """Runs the loaded model on the golden rows; the largest difference in score.

    Raises:
        InvalidBundle: a score is not finite, or differs by more than the manifest's tolerance.
    """
    golden = read_golden(path)
    if golden.features.shape[1] != len(manifest.feature_names):
        raise InvalidBundle(f"{path}: golden rows have {golden.features.shape[1]} features, the manifest names "
                            f"{len(manifest.feature_names)}")  # fmt: skip
    score, raw = scorer(golden.features)
    worst = max(float(np.max(np.abs(score - golden.score))), float(np.max(np.abs(raw - golden.raw))))
    if not worst <= manifest.tolerance:  # also refuses NaN
        raise InvalidBundle(f"{path}: golden rows differ by {worst:.2g}, tolerance is {manifest.tolerance:.2g}")
    return worst


def check_extremes(path: Path, width: int, scorer: Scorer) -> None:
    """Runs the loaded model on rows that are absent or absurd throughout.

    Raises:
        InvalidBundle: a score is not within 0..1.
    """
    rows = np.repeat(np.array(EXTREMES, np.float32)[:, None], width, axis=1)
    for scores in scorer(rows):
        bad = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
        if len(bad):
            value = EXTREMES[bad[0]]
            raise InvalidBundle(
                f"{path} scores a row of {value:g} as {scores[bad[0]]:g}, not within 0..1: train it again"
            )


def first_line(error: Exception) -> str:
    """An error of reading or validating, as one line."""
    if isinstance(error, ValidationError):
        first = json.loads(error.json(include_url=False, include_input=False))[0]
        return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
