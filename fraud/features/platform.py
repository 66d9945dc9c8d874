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

import re
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from string import Formatter
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fraud.contracts.inbound import MAX_ATTRIBUTES, MAX_TEXT
from fraud.decoding.own_fields import OwnFields
from fraud.history.kernel.layout import MAX_OWN

_DERIVED: Final = re.compile(
    r"_(seen|attempts|declines|spend|cards|customers|small|risk)_(10min|1h|24h|1d|7d|30d)|"
    r"_(hours_since_last|hours_since_first|amount_gap)"
)
"""What `fraud.features.catalogue` puts behind the names of categories and entities."""

_LISTED: Final = 5
"""Names of fields that an error lists."""

MAX_ENTITIES: Final = MAX_OWN
"""Each has counters of its own, which every payment reads and updates."""


FieldName: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Of an entry of `attributes`; it stands in metrics, in file headers and in one-line errors."""


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

    @model_validator(mode="after")
    def _sayable(self) -> Self:
        """What cannot be formatted would stop the first alert that says it."""
        place = {FieldKind.NUMBER: "value", FieldKind.CATEGORY: "text"}.get(self.kind)
        try:
            parts = {name for _, name, _, _ in Formatter().parse(self.said) if name is not None}
            self.said.format(value=1.0, text="text")
        except (ValueError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"said: {error}: in braces only value:.2f and the like, or text") from None
        if not parts <= {place} or "|" in self.said:
            allowed = f"{{{place}}}" if place else "no braces"
            raise ValueError(f"said: of kind {self.kind} it may hold {allowed}, and no |")
        return self


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
    fields: dict[FieldName, OwnField] = Field(default={}, max_length=MAX_ATTRIBUTES)

    def named(self, *kinds: FieldKind) -> tuple[str, ...]:
        """Names of the fields of these kinds, in order; of all without any."""
        return tuple(name for name, field in self.fields.items() if not kinds or field.kind in kinds)

    @property
    def own_fields(self) -> OwnFields:
        """The fields by kind, as batches have them."""
        kinds = (FieldKind.NUMBER, FieldKind.FLAG, FieldKind.CATEGORY, FieldKind.ENTITY)
        return OwnFields(*(self.named(kind) for kind in kinds))

    def mismatch(self, here: "Platform") -> str:
        """What of this platform makes other features than the one here, as "made for …" goes on; "" when nothing does.

        Names, meanings and wordings make no difference.
        """
        plain = ("base_currency", "stage", "partitions", "rates")
        parts = [
            f"{what} {mine}, which is {theirs} here"
            for what in plain
            if (mine := getattr(self, what)) != (theirs := getattr(here, what))
        ]
        lacking = [name for name in self.fields if name not in here.fields]
        more = [name for name in here.fields if name not in self.fields]
        both = [name for name in self.fields if name in here.fields]
        otherwise = [name for name in both if not _alike(self.fields[name], here.fields[name])]
        parts += [f"fields {_listed(lacking)} that this platform lacks"] if lacking else []
        parts += [f"none of fields {_listed(more)} that this platform has"] if more else []
        parts += [f"fields {_listed(otherwise)} of another kind or stage"] if otherwise else []
        if not parts and list(self.fields) != list(here.fields):
            parts = ["fields in another order"]
        return "; ".join(parts)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        entities = self.named(FieldKind.ENTITY)
        if len(entities) > MAX_ENTITIES:
            raise ValueError(
                f"{len(entities)} fields are entities, {MAX_ENTITIES} may be: make some of them categories"
            )
        for name in self.named(FieldKind.CATEGORY, FieldKind.ENTITY):
            taken = next((other for other in self.fields if _is_feature_of(name, other)), None)
            if taken is not None:
                raise ValueError(f"field {taken} has the name of a feature of field {name}: call it otherwise")
        return self


def _is_feature_of(name: str, other: str) -> bool:
    return other.startswith(name) and _DERIVED.fullmatch(other.removeprefix(name)) is not None


def _alike(one: OwnField, other: OwnField) -> bool:
    return (one.kind, one.stage) == (other.kind, other.stage)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


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
        place = " ".join(".".join(map(str, first["loc"])).split()) or "content"
        raise InvalidPlatform(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
