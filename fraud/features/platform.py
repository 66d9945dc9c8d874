"""A platform and its own fields: one declaration, from which features, decoding and history are made.

`platform.toml`, read by every program:

    name = "shop"
    base_currency = "EUR"      # of every amount among the features
    stage = "pre_auth"         # when in a payment it is scored
    partitions = 1             # of the input topic
    rates = "rates.json"       # dated exchange rates, beside this file; without it a built-in table

    [fields.basket_risk]       # the name of an entry of `attributes`
    kind = "number"            # number | flag | category | entity
    meaning = "risk of the basket, by the shop's own count"
    said = "basket risk {value:.0f}"

Platforms meet by field name: what one of them lacks is missing there.
"""

import tomllib
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fraud.contracts.inbound import MAX_ATTRIBUTES

MAX_ENTITIES: Final = 4
"""Each has counters of its own, which every payment reads and updates."""


class InvalidPlatform(Exception):  # noqa: N818 - named like InvalidEvent: what is wrong
    """A declaration that cannot be used; the text is one line: what, where, and how to mend it."""


class FieldKind(StrEnum):
    """What the values of a field are."""

    NUMBER = "number"
    FLAG = "flag"
    CATEGORY = "category"
    ENTITY = "entity"


class OwnField(BaseModel):
    """One field of the shop's own.

    Attributes:
        kind: *number* and *flag* are features as they come; a *category* is a text (or a number that is a code), known
            by its value, by how often that was lately seen and by its frauds; an *entity* is an id with counters like a
            merchant's or a device's.
        meaning: one line for a reader.
        said: what a reason says; `{value}` is the number (`{value:.0f}`), `{text}` a category's text. Of an entity it
            is the noun: "store" gives "12 attempts at this store in 24 h".
        stage: the earliest stage at which it is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FieldKind
    meaning: str = Field(default="", max_length=200)
    said: str = Field(default="", max_length=100)
    stage: Literal["pre_auth", "post_auth"] = "pre_auth"


class Platform(BaseModel):
    """A whole declaration; the default one has no fields of its own.

    Attributes:
        name: of the platform.
        base_currency: that all amounts are turned into.
        stage: when in a payment it is scored.
        partitions: of the input topic; histories are per partition.
        rates: file of dated exchange rates, relative to the declaration; None: a built-in table.
        fields: name of an attribute -> what it is, in the order of the features.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="standard", pattern=r"^[\w.-]{1,64}$")
    base_currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    stage: Literal["pre_auth", "post_auth"] = "pre_auth"
    partitions: int = Field(default=1, ge=1, le=1024)
    rates: str | None = None
    fields: dict[str, OwnField] = Field(default={}, max_length=MAX_ATTRIBUTES)

    def named(self, *kinds: FieldKind) -> tuple[str, ...]:
        """Names of the fields of these kinds, in order; of all without any."""
        return tuple(name for name, field in self.fields.items() if not kinds or field.kind in kinds)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        entities = self.named(FieldKind.ENTITY)
        if len(entities) > MAX_ENTITIES:
            raise ValueError(
                f"{len(entities)} fields are entities, {MAX_ENTITIES} may be: make some of them categories"
            )
        return self


STANDARD: Final = Platform()
"""A platform that sends the standard fields only."""


def parse_platform(text: str, *, where: str) -> Platform:
    """A declaration from the text of a TOML file.

    Args:
        text: of the file.
        where: its name, for errors.

    Raises:
        InvalidPlatform: it is no TOML, or no declaration.
    """
    try:
        return Platform.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidPlatform(f"{where} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise InvalidPlatform(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
