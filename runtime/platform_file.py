"""The declaration of a platform, `platform.toml`, and the exchange rates that it names: read here and nowhere else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, InstanceOf
from pydantic_settings import NoDecode

from fraud.features.platform import STANDARD, InvalidPlatform, Platform, parse_platform
from fraud.money import InvalidRates, Rates
from runtime.errors import Misconfigured
from runtime.kafka.settings import BrokerSettings

PLATFORM: Final = "platform.toml"
"""Looked for beside events, as their labels are."""


@dataclass(frozen=True, slots=True)
class DeclaredPlatform:
    """A platform as it was declared.

    Attributes:
        platform: the declaration.
        rates: into its base currency.
        path: of its file; None: nobody declared anything.
    """

    platform: Platform
    rates: Rates
    path: Path | None = None

    def __str__(self) -> str:
        return "" if self.path is None else str(self.path)


def read_platform(path: Path | None) -> DeclaredPlatform:
    """The platform of a file, the standard one without a file.

    Raises:
        Misconfigured: one line: what, where, and how to mend it.
    """
    if path is None:
        return standing_for(STANDARD)
    try:
        platform = parse_platform(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except InvalidPlatform as error:
        raise Misconfigured(str(error)) from None
    return DeclaredPlatform(platform, _rates(platform, path.parent), path)


def standing_for(platform: Platform) -> DeclaredPlatform:
    """A platform that is known otherwise, by a version's manifest or in a test.

    Raises:
        Misconfigured: its rates are in a file, which only its declaration's place leads to.
    """
    if platform.rates is not None:
        raise Misconfigured(f"the rates of platform {platform.name} are in a file: name its platform.toml")
    return DeclaredPlatform(platform, Rates.default(platform.base_currency))


def _rates(platform: Platform, folder: Path) -> Rates:
    if platform.rates is None:
        return Rates.default(platform.base_currency)
    path = folder / platform.rates
    try:
        return Rates.parse(path.read_bytes(), platform.base_currency)
    except OSError as error:
        raise Misconfigured(f"rates: cannot read {path}: {error.strerror}") from None
    except InvalidRates as error:
        raise Misconfigured(f"rates: {path}: {error}") from None


def _read(value: Any) -> Any:  # noqa: ANN401 - whatever a setting was given as
    if value is None or value == "":
        return None
    try:
        return read_platform(Path(value)) if isinstance(value, str | Path) else value
    except Misconfigured as error:
        raise ValueError(str(error)) from None


_NOTHING_DECLARED: Final = standing_for(STANDARD)


class PlatformSettings(BrokerSettings):
    """Settings of the programs that compute features, each for one platform."""

    platform_file: Annotated[InstanceOf[DeclaredPlatform] | None, NoDecode, BeforeValidator(_read)] = Field(
        None,
        description="`platform.toml`: currency, stage, partitions and fields of the shop; default: the standard fields",
    )

    @property
    def declared(self) -> DeclaredPlatform:
        """The platform with its rates."""
        return self.platform_file or _NOTHING_DECLARED

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.declared.platform
