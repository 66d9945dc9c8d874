"""Labels as they come by HTTP, by webhook and by file: validated one by one, then entries of the journal."""

from datetime import datetime

import msgspec
from pydantic import ValidationError

from fraud.contracts.inbound import SCHEMA_VERSION, Label
from gateway.digest import digest_of, encode_in_order
from gateway.entries import Entry, Kind


class InvalidLabel(Exception):  # noqa: N818 - named for what it says
    """A label that breaks the contract; one line, without its values."""


def label_fields(given: object, *, now: datetime) -> dict[str, object]:
    """The known fields of a valid label; without a time of receipt it is received now.

    Raises:
        InvalidLabel: it breaks the contract.
    """
    if not isinstance(given, dict):
        raise InvalidLabel("must be an object")
    known = {name: given[name] for name in Label.model_fields if given.get(name) is not None}
    fields = {"schema_version": SCHEMA_VERSION, "received_at": now.isoformat(), **known}
    try:
        Label.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidLabel(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
    return fields


def label_entry(
    fields: dict[str, object],
    *,
    shop: str,
    topic: str,
    headers: tuple[tuple[str, bytes], ...],
    now_ms: int,
    received: bool = True,
) -> Entry:
    """A label as an entry.

    Args:
        fields: valid ones.
        shop: whose key brought it.
        topic: of labels.
        headers: of the record.
        now_ms: wall time.
        received: whether its time of receipt was given, and hence tells it from another with its id.
    """
    told = fields if received else {name: value for name, value in fields.items() if name != "received_at"}
    return Entry(
        kind=Kind.LABEL,
        id=str(fields["label_id"]),
        shop=shop,
        digest=digest_of(encode_in_order(told)),
        topic=topic,
        key=str(fields["transaction_id"]).encode(),
        value=msgspec.json.encode(fields),
        headers=headers,
        accepted_ms=now_ms,
    )
