"""Integer columns to Arrow strings, a column at a time and without Python objects per row."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.draws import Bools, Int64s

_LETTERS: Final = np.frombuffer(b"bcdfghjklmnpqrst", np.uint8)
"""Sixteen consonants instead of hexadecimal digits: no id contains a run of digits that looks like a card number."""

ID_LENGTH: Final = 17


def id_column(ids: Int64s, prefix: str | Bools, *, missing: Bools | None = None) -> pa.StringArray:
    """Ids as a prefix letter and sixteen letters; string [n].

    Args:
        ids: 63-bit integers.
        prefix: one letter, or bool [n]: e where True (the id of an e-mail hash), c where False (a customer).
        missing: where null; None: where the id is 0.
    """
    n = len(ids)
    text = np.empty((n, ID_LENGTH), np.uint8)
    text[:, 0] = ord(prefix) if isinstance(prefix, str) else np.where(prefix, ord("e"), ord("c"))
    octets = np.ascontiguousarray(ids).view(np.uint8).reshape(n, 8)
    text[:, 1::2] = _LETTERS[octets >> 4]
    text[:, 2::2] = _LETTERS[octets & 15]
    offsets = np.arange(0, (n + 1) * ID_LENGTH, ID_LENGTH, dtype=np.int32)
    absent = ids == 0 if missing is None else missing
    validity = pa.py_buffer(np.packbits(~absent, bitorder="little")) if absent.any() else None
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text), validity)


def word_column(indices: Int64s, words: Sequence[str], *, missing: Bools | None = None) -> pa.StringArray:
    """Words by index; negative or `missing` gives null; string [n]."""
    absent = indices < 0 if missing is None else missing
    where = pa.array(np.where(absent, 0, indices), mask=absent)
    return pa.array(words, pa.string()).take(where)


def ip_column(ips: Int64s) -> pa.StringArray:
    """IPv4 addresses in dotted form, null where 0; string [n]."""
    numbers = [str(i) for i in range(256)]
    missing = ips == 0
    parts = [word_column((ips >> shift) & 255, numbers, missing=missing) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*parts, ".")


def number_column(values: Int64s, *, missing: Bools | None = None) -> pa.StringArray:
    """Integers in decimal; string [n]."""
    return pa.array(values, mask=missing).cast(pa.string())
