"""Settings of any program: read once from the environment, validated whole, frozen.

The variables are the field names in capitals behind `FRAUD_`. A secret may come from a file instead: the variable with
`_FILE` behind it names that file. A variable that no field claims is an error: a typing slip in a setting must not
leave the default in force.
"""

import difflib
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from runtime.errors import Misconfigured

PREFIX: Final = "fraud_"
"""Of the environment variables."""

ELSEWHERE: Final = frozenset({"fraud_data_dir"})
"""Variables with our prefix that belong to the tests."""

MOVED: Final = {
    "fraud_attributes": "[fields.NAME]",
    "fraud_base_currency": "base_currency",
    "fraud_rates_file": "rates",
    "fraud_stage": "stage",
    "fraud_partitions": "partitions",
}
"""Variables whose values stand in a platform's declaration now, and where in it."""

_SHORTEST: Final = 16


def _long_enough(secret: SecretStr) -> SecretStr:
    stripped = secret.get_secret_value().strip()
    if len(stripped) < _SHORTEST:
        raise ValueError(f"must have at least {_SHORTEST} characters; `openssl rand -hex 32` makes one")
    return SecretStr(stripped)


def _seconds(value: object) -> object:
    """Turns a plain number of seconds, as an environment variable writes it, into what pydantic reads."""
    try:
        return timedelta(seconds=float(value)) if isinstance(value, str) else value
    except ValueError:
        return value


Password: TypeAlias = SecretStr
"""A secret that somebody else chose, however short; never shown."""

Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A setting that nobody can guess; white space around it, as a file or a variable may have, does not count."""

Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]
"""Seconds, or ISO 8601."""

Delay = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]
"""The same, or none at all."""


def revealed(secret: SecretStr | None) -> str | None:
    """What a secret hides; None without one."""
    return None if secret is None else secret.get_secret_value()


class ProgramSettings(BaseSettings):
    """What the settings of every program do alike."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe log line")

    @classmethod
    def renamed(cls) -> Mapping[str, tuple[str, timedelta]]:
        """Former fields that are still accepted: what each is called now, and what a number in it counted."""
        return {}

    @classmethod
    def claims(cls, variable: str) -> bool:  # noqa: ARG003 - programs that share an environment look at it
        """Whether a variable with our prefix, in small letters, can only be meant for this program."""
        return True

    @classmethod
    def load(cls, **given: object) -> Self:
        """The settings of this process's environment; arguments go before variables.

        Raises:
            Misconfigured: one line that names every wrong variable.
        """
        try:
            return cls(**_by_present_names(given, cls.renamed()))  # type: ignore[arg-type] # pydantic validates
        except ValidationError as error:
            raise Misconfigured(_what_is_wrong(error)) from None
        except SettingsError as error:
            raise Misconfigured(f"{error}: it must be JSON") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before variables, variables before the files that they name."""
        return init_settings, env_settings, _OtherVariables(cls)


def settings_table(settings: type[ProgramSettings]) -> list[tuple[str, str, str]]:
    """Variable, default and meaning of every setting."""
    return [
        (f"{PREFIX}{name}".upper(), _shown(field.default), field.description or "")
        for name, field in settings.model_fields.items()
    ]


class _OtherVariables(EnvSettingsSource):
    """What the fields' own variables leave: files of secrets, former names, and names that nothing claims."""

    def __init__(self, settings: type[ProgramSettings]) -> None:
        super().__init__(settings)
        self._settings = settings

    def __call__(self) -> dict[str, Any]:  # pydantic-settings' own signature
        fields, renamed = self._settings.model_fields, self._settings.renamed()
        files = {f"{PREFIX}{name}_file": name for name, field in fields.items() if _is_secret(field.annotation)}
        self._refuse_unknown({PREFIX + name for name in fields} | files.keys())
        secrets = {name: _read_secret(variable, self.env_vars) for variable, name in files.items()}
        former = {name: self.env_vars[PREFIX + name] for name in renamed if PREFIX + name in self.env_vars}
        for name in former:
            self._warn_of(name, renamed[name][0])
        found = {name: text for name, text in secrets.items() if text is not None}
        return found | _by_present_names(former, renamed)

    def _refuse_unknown(self, known: set[str]) -> None:
        accepted = known | ELSEWHERE | {PREFIX + name for name in self._settings.renamed()}
        for name in sorted(self.env_vars):
            if name in MOVED:
                raise Misconfigured(
                    f"{name.upper()} is gone: write {MOVED[name]} into a platform.toml and set FRAUD_PLATFORM_FILE to "
                    "its path"
                )
            if name.startswith(PREFIX) and self._settings.claims(name) and name not in accepted:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0].upper()}?" if close else ""
                raise Misconfigured(f"unknown setting {name.upper()}{hint}")

    def _warn_of(self, former: str, present: str) -> None:
        """On standard error as plain text: logs are set up once the settings are read."""
        old, new = f"{PREFIX}{former}".upper(), f"{PREFIX}{present}".upper()
        if PREFIX + present in self.env_vars:
            raise Misconfigured(f"set {new} or {old}, its former name, not both")
        sys.stderr.write(f"warning: {old} is {new} now, in seconds or ISO 8601; the old name will be refused\n")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing field by field: `__call__` reads them all."""
        raise NotImplementedError


def _by_present_names(given: Mapping[str, object], renamed: Mapping[str, tuple[str, timedelta]]) -> dict[str, object]:
    """The values under what they are called now, numbers as durations."""
    found = dict(given)
    for former in given.keys() & renamed.keys():
        present, unit = renamed[former]
        value = found.pop(former)
        try:
            found[present] = value if value is None else float(str(value)) * unit
        except (ValueError, OverflowError):
            raise Misconfigured(f"{PREFIX}{former}".upper() + ": must be a number") from None
    return found


def _is_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _read_secret(variable: str, variables: Mapping[str, str | None]) -> str | None:
    path = variables.get(variable)
    if not path:
        return None
    if variables.get(variable.removesuffix("_file")):
        raise Misconfigured(f"set {variable.upper()} or {variable.upper().removesuffix('_FILE')}, not both")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{variable.upper()}: cannot read {path}: {getattr(error, 'strerror', error)}") from None


def _what_is_wrong(error: ValidationError) -> str:
    """Every wrong setting by the name of its variable, in one line; values, which may be secrets, are left out."""
    return "; ".join(
        f"{(PREFIX + str(item['loc'][0])).upper()}: {item['msg'].removeprefix('Value error, ')}"
        if item["loc"]
        else str(item["ctx"]["error"])
        for item in error.errors(include_url=False, include_input=False)
    )


def _shown(default: object) -> str:
    if isinstance(default, timedelta):
        whole = default >= timedelta(days=1) and not default % timedelta(days=1)
        return f"P{default.days}D" if whole else f"{default.total_seconds():g}"
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None or default == () else str(default)
