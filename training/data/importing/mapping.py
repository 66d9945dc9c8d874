"""The mapping file: which column of a foreign table becomes which field of an event."""

import codecs
import tomllib
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fraud.contracts.inbound import Attempt, LabelSource, OutcomeKind

ROW: Final = "$row"
"""Stands for the row's number among the source columns of a field."""

Scalar: TypeAlias = str | bool | int | float


class InvalidMapping(Exception):  # noqa: N818 - named for what it says
    """A mapping that cannot be used, or does not fit the file; one line: what, where, and how to mend it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FileFormat(_Part):
    """How a CSV file is written: the mark between its columns, and the encoding of its text."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"encoding {value!r} is not known") from None


class FieldSource(_Part):
    """Where one field comes from: a constant, or one or more columns.

    Attributes:
        constant: the same for every row.
        columns: source columns, `from` in TOML; several are joined with "-". `$row` is the row's number.
        prefix: put before the text, so that ids of several sources do not collide.
        hashed: replace the text by a hash; for card numbers and addresses that must not be stored.
        values: source text -> value; text that is not listed is missing.
        optional_parts: join what there is of several columns; otherwise one missing part makes the whole missing.
        optional: a file without one of the columns is imported without the field.
    """

    constant: Scalar | None = None
    columns: tuple[str, ...] = Field(default=(), alias="from")
    prefix: str = ""
    hashed: bool = False
    values: dict[str, Scalar] | None = None
    optional_parts: bool = False
    optional: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.constant is None) == (not self.columns):
            raise ValueError("give either 'constant' or 'from'")
        return self


class AttributeSource(_Part):
    """Where an attribute comes from; in TOML also the column's name alone.

    Attributes:
        column: the source column, `from` in TOML.
        optional: a file without the column is imported without the attribute.
    """

    column: str = Field(alias="from")
    optional: bool = False


class TimeSource(_Part):
    """Where a time comes from.

    Attributes:
        column: the source column, `from` in TOML.
        format: "iso", "timestamp" (a typed column), a strptime pattern, or the unit of a number since `origin`:
            microseconds, milliseconds, seconds, minutes, hours, days.
        origin: start of such numbers, ISO 8601 with offset; 1970 by default.
        timezone: of times without offset.
    """

    column: str = Field(alias="from")
    format: str = "iso"
    origin: str | None = None
    timezone: str = "UTC"

    @field_validator("origin")
    @classmethod
    def _a_moment(cls, value: str | None) -> str | None:
        if value is not None and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("must have an offset, as in 2024-01-01T00:00:00Z")
        return value

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"time zone {value!r} is not known") from None
        return value


class AmountSource(_Part):
    """Where the amount comes from: a column of major units (12.5) or minor units (1250) of the currency."""

    column: str = Field(alias="from")
    unit: Literal["major", "minor"] = "major"


class OffsetSource(_Part):
    """`tz_offset_min` as the difference of two columns of times of one format."""

    local: str
    utc: str


class LabelSourceColumn(_Part):
    """How fraud is marked, and when it became known.

    Attributes:
        column: the source column, `from` in TOML.
        fraud: text of values that mean fraud, in any case.
        genuine: text of values that mean genuine; any other value then says nothing. Without it all others are genuine
            once they have matured.
        delay_days: days from the payment to the report, where no time is given.
        time: when it was reported, instead of a delay.
        source: who reported it.
        maturity_days: age at which a payment without report counts as genuine.
    """

    column: str = Field(alias="from")
    fraud: tuple[str, ...]
    genuine: tuple[str, ...] = ()
    delay_days: float = Field(default=0.0, ge=0)
    time: TimeSource | None = None
    source: LabelSource = "chargeback"
    maturity_days: float = Field(ge=0)


class Mapping(_Part):
    """A whole mapping file.

    Attributes:
        name: of the mapping; stamped into the files as their version.
        about: where the source comes from, and on what the mapping was tested.
        missing: texts that mean absent.
        text: columns to read as text whatever they look like (codes with leading zeros).
        decimal: mark before the decimals of numbers that are text.
        file: how a CSV file is written.
        time: the event time.
        amount: the amount.
        fields: every other field of a transaction.
        attributes: name of an attribute -> source column.
        offset: the customer's offset from UTC.
        outcome: what became of every payment, written as an outcome after it; None writes none.
        label: how fraud is marked; None writes no labels.
    """

    name: str
    about: str
    missing: tuple[str, ...] = ("",)
    text: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    file: FileFormat = FileFormat()
    time: TimeSource
    amount: AmountSource
    fields: dict[str, FieldSource]
    attributes: dict[str, AttributeSource] = {}
    offset: OffsetSource | None = None
    outcome: OutcomeKind | None = None
    label: LabelSourceColumn | None = None

    @field_validator("attributes", mode="before")
    @classmethod
    def _named_alone(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: {"from": source} if isinstance(source, str) else source for name, source in value.items()}

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        known = set(Attempt.model_fields) - {"event_time", "amount", "attributes"}
        unknown = sorted(set(self.fields) - known)
        if unknown:
            raise ValueError(f"fields.{unknown[0]} is no field of a transaction")
        absent = sorted(_NEEDED - set(self.fields))
        if absent:
            raise ValueError(f"fields.{absent[0]} is needed")
        bare = sorted(name for name in _NEEDED if self.fields[name].optional)
        if bare:
            raise ValueError(f"fields.{bare[0]} is needed, it cannot be optional")
        return self

    def fitted(self, path: Path, names: Sequence[str]) -> Self:
        """The mapping for a file with these columns: optional parts whose columns it lacks are left out.

        Raises:
            InvalidMapping: the file lacks others; all of them are named.
        """
        there = {*names, ROW}
        fields = {n: s for n, s in self.fields.items() if not s.optional or there.issuperset(s.columns)}
        attributes = {n: s for n, s in self.attributes.items() if not s.optional or s.column in there}
        fitted = self.model_copy(update={"fields": fields, "attributes": attributes})
        absent = [name for name in fitted.source_columns() if name not in there]
        if absent:
            what = f"column{'s' * (len(absent) > 1)} {listed(absent)}"
            raise InvalidMapping(
                f"{path} has no {what} (it has: {listed(names)}): mend the mapping, or mark what may be absent with "
                "optional = true"
            )
        return fitted

    def source_columns(self) -> list[str]:
        """Every column that the file must have, sorted."""
        columns = {name for field in self.fields.values() for name in field.columns} - {ROW}
        columns |= {self.time.column, self.amount.column, *(source.column for source in self.attributes.values())}
        if self.offset:
            columns |= {self.offset.local, self.offset.utc}
        if self.label:
            columns |= {self.label.column} | ({self.label.time.column} if self.label.time else set())
        return sorted(columns)


_NEEDED: Final = {"transaction_id", "customer_id", "currency"}


def listed(names: Sequence[str], most: int = 40) -> str:
    """Names for a line of text; of very many the first."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shipped() -> list[str]:
    """Names of the mappings that come with the package."""
    folder = files("training.data.importing") / "mappings"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_mapping(name: str) -> Mapping:
    """A mapping by path, or by the name of a shipped one.

    Raises:
        InvalidMapping: there is none, or it is broken.
    """
    path = Path(name)
    try:
        if path.is_file():
            content = path.read_text(encoding="utf-8")
        elif name.removesuffix(".toml") in shipped():
            resource = files("training.data.importing") / "mappings" / f"{name.removesuffix('.toml')}.toml"
            content = resource.read_text(encoding="utf-8")
        else:
            raise InvalidMapping(f"mapping {name} does not exist; shipped are: {', '.join(shipped())}")
        return Mapping.model_validate(tomllib.loads(content))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidMapping(f"{name} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidMapping(
            f"{name}: {'.'.join(map(str, first['loc'])) or 'content'}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
