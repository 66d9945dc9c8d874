"""Search for records of a customer who is to be forgotten: by key, or by text, which need not be JSON."""

import re

from fraud.privacy.card_numbers import unescaped


def names(customer_id: str, key: bytes | None, value: bytes | None) -> bool:
    """Whether a record names the customer.

    In its text that is the id between quotes, wherever it stands and however JSON escapes it, or behind `customer_id`
    without quotes, as a number or in a broken message.
    """
    if key == customer_id.encode():
        return True
    text = (value or b"").decode("utf-8", "surrogateescape")
    if "\\" in text:
        text, _ = unescaped(text)
    if customer_id not in text:
        return False
    unquoted = rf"""customer_id["']?\s*[:=]\s*["']?{re.escape(customer_id)}(?![\w.-])"""
    return f'"{customer_id}"' in text or re.search(unquoted, text) is not None
