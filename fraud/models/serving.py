"""`serving.json`: which version serves which features; and where a version lies in the model directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from fraud.features.platform import Platform
from fraud.models.bundle import InvalidBundle, first_line, read_manifest

SERVING: Final = "serving.json"

Area: TypeAlias = Literal["live", "candidates", "bases"]
AREAS: Final[tuple[Area, ...]] = ("live", "candidates", "bases")
"""Blessed versions, which may serve; those that are not blessed yet; and those to adapt from, which never serve."""


class Slot(BaseModel):
    """Who serves one features fingerprint.

    Attributes:
        champion: the version that decides.
        shadow: is scored beside it without effect.
        previous: the former champions, newest first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    champion: int = Field(ge=1)
    shadow: int | None = Field(default=None, ge=1)
    previous: tuple[int, ...] = ()


class Serving(RootModel[dict[str, Slot]]):
    """`serving.json`: features fingerprint -> `Slot`, so that old and new code run side by side during a rollout."""

    model_config = ConfigDict(frozen=True)

    def slot(self, features_fingerprint: str) -> Slot:
        """The slot of this code's features; InvalidBundle when no version was promoted for them."""
        slot = self.root.get(features_fingerprint)
        if slot is None:
            known = ", ".join(sorted(self.root)) or "none"
            raise InvalidBundle(
                f"{SERVING} names no champion for features {features_fingerprint} (it has: {known}); promote a version"
            )
        return slot


def read_serving(root: Path) -> Serving:
    """`<root>/serving.json`; InvalidBundle when it is absent or broken."""
    path = root / SERVING
    try:
        return Serving.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InvalidBundle(f"{path} is missing: no model was promoted yet") from None
    except (OSError, ValidationError) as error:
        raise InvalidBundle(f"{path}: {first_line(error)}") from None


def serving_slot(root: Path, features_fingerprint: str, platform: Platform) -> Slot:
    """The slot of this code's features on this platform.

    Raises:
        InvalidBundle: there is none; where a champion serves another platform, the line says what differs.
    """
    serving = read_serving(root)
    if features_fingerprint not in serving.root:
        for slot in serving.root.values():
            mismatch = _mismatch(version_path(root, slot.champion, blessed=True), platform)
            if mismatch:
                raise InvalidBundle(
                    f"champion {slot.champion} was made for {mismatch}: serve it with its own platform.toml, or train "
                    "for this one"
                )
    return serving.slot(features_fingerprint)


def _mismatch(path: Path, platform: Platform) -> str:
    try:
        return read_manifest(path).platform.mismatch(platform)
    except InvalidBundle:
        return ""


def area_folder(root: Path, area: Area) -> Path:
    """Where versions of an area lie."""
    return root if area == "live" else root / area


def find_version(root: Path, version: int, areas: Sequence[Area] = AREAS) -> tuple[Area, Path] | None:
    """Where a version lies: in the first of these areas that holds it; None where none does."""
    folders = ((area, area_folder(root, area) / str(version)) for area in areas)
    return next(((area, path) for area, path in folders if path.is_dir()), None)


def version_path(root: Path, version: int, *, blessed: bool) -> Path:
    """Where a version lies that serves; one that need not be `blessed`, such as a shadow, may still be a candidate.

    A version that does not exist has the path where it was looked for last: reading it tells so.
    """
    areas: tuple[Area, ...] = ("live",) if blessed else ("live", "candidates")
    found = find_version(root, version, areas)
    return found[1] if found else area_folder(root, areas[-1]) / str(version)
