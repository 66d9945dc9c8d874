"""Labels in a spreadsheet: rows of a CSV file, by a mapping, to labels; what cannot be one is told with its reason."""

import csv
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fraud.contracts.inbound import Label
from gateway.labels import InvalidLabel, label_fields
from runtime.errors import Misconfigured

TIMES: Final = ("occurred_at", "received_at")
NEEDED: Final = ("transaction_id", "verdict", "source", "occurred_at")


class Column(BaseModel):
    """Where a field of a label comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: str | None = Field(None, alias="from", description="column")
    constant: str | None = Field(None, description="the same for every row")
    values: dict[str, str] | None = Field(None, description="text to value; other text makes the row invalid")
    format: str = Field("iso", description="of a time: iso, or a strptime pattern")
    timezone: str = Field("UTC", description="of times without an offset")

    @model_validator(mode="after")
    def _one_source(self) -> "Column":
        if (self.source is None) == (self.constant is None):
            raise ValueError("needs from or constant")
        return self


class LabelMapping(BaseModel):
    """The mapping file of labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    fields: dict[str, Column]

    @model_validator(mode="after")
    def _known(self) -> "LabelMapping":
        unknown = set(self.fields) - set(Label.model_fields)
        missing = set(NEEDED) - set(self.fields)
        if unknown or missing:
            raise ValueError(f"unknown fields: {sorted(unknown)}; missing ones: {sorted(missing)}")
        return self


@dataclass(slots=True)
class Row:
    """One row: a label's fields, or why there is none."""

    number: int
    cells: Mapping[str, str]
    fields: dict[str, object] | None = field(default=None)
    why: str = ""


def read_mapping(path: Path) -> LabelMapping:
    """The mapping of a file.

    Raises:
        Misconfigured: one line that says what is wrong.
    """
    try:
        return LabelMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise Misconfigured(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    except ValueError as error:
        raise Misconfigured(f"{path}: {error}") from None


def read_rows(path: Path, mapping: LabelMapping, *, now: datetime) -> Iterator[Row]:
    """Each row of a CSV file.

    Raises:
        Misconfigured: the file cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding=mapping.encoding, newline="") as file:
            reader = csv.DictReader(file, delimiter=mapping.delimiter)
            missing = {c.source for c in mapping.fields.values() if c.source} - set(reader.fieldnames or ())
            if missing:
                raise Misconfigured(f"{path} has no column {', '.join(sorted(missing))}")
            for number, cells in enumerate(reader, 2):
                row = Row(number, {name: value for name, value in cells.items() if name is not None})
                try:
                    row.fields = _label(row.cells, mapping, now)
                except (InvalidLabel, ValueError) as error:
                    row.why = str(error)
                yield row
    except (OSError, UnicodeError, csv.Error) as error:
        raise Misconfigured(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _label(cells: Mapping[str, str], mapping: LabelMapping, now: datetime) -> dict[str, object]:
    given: dict[str, object] = {}
    for name, column in mapping.fields.items():
        text = column.constant if column.source is None else (cells.get(column.source) or "").strip()
        if column.values is not None and text:
            if text not in column.values:
                raise InvalidLabel(f"{name}: its text is not among the mapping's values")
            text = column.values[text]
        if text:
            given[name] = _time(name, text, column) if name in TIMES else text
    if "label_id" not in given:
        # The same row gives the same id, however often its file is imported.
        told = "\n".join(str(given.get(name, "")) for name in NEEDED)
        given["label_id"] = "csv:" + hashlib.sha256(told.encode()).hexdigest()[:32]
    return label_fields(given, now=now)


def _time(name: str, text: str, column: Column) -> str:
    try:
        zone = UTC if column.timezone == "UTC" else ZoneInfo(column.timezone)
        read = datetime.fromisoformat(text) if column.format == "iso" else datetime.strptime(text, column.format)  # noqa: DTZ007 - the next line gives it one
    except (ValueError, ZoneInfoNotFoundError):
        raise InvalidLabel(f"{name}: is no time of the mapping's format and timezone") from None
    return (read if read.tzinfo else read.replace(tzinfo=zone)).isoformat()
