"""Groups of payments that the gate guards: new and returning customers, countries, payment methods."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud.decoding.batch import ENTITIES, Batch

LARGEST = 8
"""Values of a segment that stand for themselves; the rest is "other"."""


def segments_of(table: pa.Table, batch: Batch) -> Mapping[str, npt.NDArray[np.str_]]:
    """The segments of n transactions.

    Args:
        table: their rows of `training.data.files.schema.EVENTS`.
        batch: the same rows as columns.
    """
    customer = batch.ids[:, ENTITIES.index("customer")]
    first = np.zeros(len(customer), np.bool_)
    first[np.unique(customer, return_index=True)[1]] = True
    country = pc.coalesce(table["billing_country"], table["ip_country"], table["card_country"])
    return {
        "customer": np.where(first, "new", "returning"),
        "country": _largest(country),
        "method": _largest(table["payment_method"]),
    }


def _largest(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    values = column.to_pandas().fillna("none").astype(str)
    counts = pd.Series(values).value_counts()
    # Ties by name, so that the same rows always give the same groups.
    names = sorted(counts.index, key=lambda name: (-counts[name], name))[:LARGEST]
    return np.array(values.where(values.isin(names), "other"), np.str_)
