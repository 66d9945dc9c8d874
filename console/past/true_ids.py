"""The ids of a payment as the scorer compares them, where the projection holds their pseudonyms."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from console.projection.log import LogReader
from fraud.privacy.card_numbers import Token, mask_bytes


def payment_at(
    source: Mapping[str, Any], topic: str, open_reader: Callable[[], LogReader], token: Token | None
) -> dict[str, Any] | None:
    """The payment that an alert or decision names as its source, card numbers masked; None where it is gone.

    Raises:
        Unavailable: the broker does not answer.
    """
    reader = open_reader()
    try:
        record = reader.one(topic, source["partition"], source["offset"])
    finally:
        reader.close()
    if record is None:
        return None
    value = record.value if token is None else mask_bytes(record.value, token)[0]
    return msgspec.json.decode(value, type=dict[str, Any])
