"""The mapping file: which column of a foreign table becomes which field of an event."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fraud.contracts.inbound import Attempt, LabelSource, OutcomeKind

ROW: Final = "$row"
"""Stands for the row's number among the source columns of a field."""

Scalar: TypeAlias = str | bool | int | float


class InvalidMapping(Exception):  # noqa: N818 - named for what it says
    """A mapping that cannot be used, or does not fit the file; one line: what, where, and how to mend it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FieldSource(_Part):
    """Where one field comes from: a constant, or one or more columns.

    Attributes:
        constant: the same for every row.
        columns: source columns, `from` in TOML; several are joined with "-". `$row` is the row's number.
        prefix: put before the text, so that ids of several sources do not collide.
        hashed: replace the text by a hash; for card numbers and addresses that must not be stored.
        values: source text -> value; text that is not listed is missing.
        optional_parts: join what there is of several columns; otherwise one missing part makes the whole missing.
    """

    constant: Scalar | None = None
    columns: tuple[str, ...] = Field(default=(), alias="from")
    prefix: str = ""
    hashed: bool = False
    values: dict[str, Scalar] | None = None
    optional_parts: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.constant is None) == (not self.columns):
            raise ValueError("give either 'constant' or 'from'")
        return self


class TimeSource(_Part):
    """Where a time comes from.

    Attributes:
        column: the source column, `from` in TOML.
        format: "iso", "timestamp" (a typed column), a strptime pattern, or the unit of an offset since `origin`.
        origin: start of offsets, ISO 8601 with offset.
        timezone: of times without offset.
    """

    column: str = Field(alias="from")
    format: str = "iso"
    origin: str | None = None
    timezone: str = "UTC"


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
        fraud: text of values that mean fraud.
        delay_days: days from the payment to the report, where no time is given.
        time: when it was reported, instead of a delay.
        source: who reported it.
        maturity_days: age at which a payment without report counts as genuine.
    """

    column: str = Field(alias="from")
    fraud: tuple[str, ...]
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
    time: TimeSource
    amount: AmountSource
    fields: dict[str, FieldSource]
    attributes: dict[str, str] = {}
    offset: OffsetSource | None = None
    outcome: OutcomeKind | None = None
    label: LabelSourceColumn | None = None

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        known = set(Attempt.model_fields) - {"event_time", "amount", "attributes"}
        unknown = sorted(set(self.fields) - known)
        if unknown:
            raise ValueError(f"fields.{unknown[0]} is no field of a transaction")
        absent = sorted({"transaction_id", "customer_id", "currency"} - set(self.fields))
        if absent:
            raise ValueError(f"fields.{absent[0]} is needed")
        return self

    def source_columns(self) -> list[str]:
        """Every column that the file must have, sorted."""
        columns = {name for field in self.fields.values() for name in field.columns} - {ROW}
        columns |= {self.time.column, self.amount.column, *self.attributes.values()}
        if self.offset:
            columns |= {self.offset.local, self.offset.utc}
        if self.label:
            columns |= {self.label.column} | ({self.label.time.column} if self.label.time else set())
        return sorted(columns)


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
        raise InvalidMapping(f"{name}: {'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from None
