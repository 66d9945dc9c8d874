"""Episodes that can be seen: payments that share a customer, a card, a device or a shipping address, transitively.

Fraud comes in episodes, and in most of them each attempt has a new customer: payments of one episode are alike, so that
neither a bootstrap nor a fold may part them. An entity that many customers share (a parcel shop, a call centre, a
library's computer) links strangers and is passed over.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ids = npt.NDArray[np.uint64]

LINKING: Final = ("customer", "card", "device", "shipping_address")
"""Entities that tie payments together."""

MAX_CUSTOMERS: Final = 20
"""An entity of more customers than this is shared by strangers; a ring's device or drop address has seen fewer."""


def components(ids: Mapping[str, Ids], *, max_customers: int = MAX_CUSTOMERS) -> npt.NDArray[np.int64]:
    """The number of each payment's connected component, [n], numbered from 0 in order of first appearance.

    Args:
        ids: entity -> hashed ids, [n], 0 where absent; "customer" among them.
        max_customers: see `MAX_CUSTOMERS`.
    """
    customer = ids["customer"]
    count = len(customer)
    if count == 0:
        return np.zeros(0, np.int64)
    rows, nodes, offset = [], [], count
    for entity, values in ids.items():
        known = np.flatnonzero(values)
        names, place = np.unique(values[known], return_inverse=True)
        if entity != "customer":
            shared = _customers_of(place, customer[known], len(names)) > max_customers
            known, place = known[~shared[place]], place[~shared[place]]
        rows.append(known)
        nodes.append(place + offset)
        offset += len(names)
    edges = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(offset, offset))
    label = connected_components(graph, directed=False)[1][:count]
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[number]


def _customers_of(place: npt.NDArray[np.intp], customer: Ids, count: int) -> npt.NDArray[np.int64]:
    """Distinct customers of each of `count` entities, [count]."""
    pairs = np.unique(np.stack([place.astype(np.uint64), customer]), axis=1)
    return np.bincount(pairs[0].astype(np.intp), minlength=count)
