"""Decisions and labels as frames for the ledger; messages off the contract are left out and counted."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from msgspec import Meta, Struct
from pydantic import ValidationError

from fraud.contracts.inbound import Action, Label
from fraud.decoding.batch import hash_ids
from fraud.timestamps import parse_time, to_us
from training.labels.ledger import LABEL_COLUMNS, empty

# As in the contract; a value past these would end the loop.
_Version: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Score: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
_Propensity: TypeAlias = Annotated[float, Meta(gt=0, le=1)]


class _Shadow(Struct):
    model_version: _Version
    score: _Score
    action: Action


class _Decision(Struct):
    transaction_id: str
    event_time: str
    score: _Score
    model_action: Action
    action: Action
    propensity: _Propensity
    model_version: _Version
    shadow: _Shadow | None = None


DECISIONS = {
    "transaction": "uint64",
    "time": "int64",
    "action": "str",
    "model_action": "str",
    "propensity": "float64",
    "score": "float64",
    "version": "int64",
    "shadow_version": "int64",
    "shadow_action": "str",
}
"""Columns of decisions; `time` is the payment's, `shadow_version` 0 and `shadow_action` "" without a shadow.

`propensity` is the probability of having been observed: below 1 of would-be blocks that a lot let through. What a lot
sent to review instead of allowing would have been observed either way.
"""


def decisions_frame(values: Sequence[bytes]) -> tuple[pd.DataFrame, int]:
    """Decisions as a frame of `DECISIONS`, one per transaction, the first that was made; and how many were none."""
    decoder = msgspec.json.Decoder(_Decision)
    rows, ids = [], []
    for value in values:
        try:
            d = decoder.decode(value)
            time = parse_time(d.event_time)
        except (msgspec.DecodeError, ValueError):
            continue
        ids.append(d.transaction_id)
        shadow = (d.shadow.model_version, d.shadow.action) if d.shadow else (0, "")
        observed = d.propensity if d.model_action == "block" else 1.0
        rows.append((time, d.action, d.model_action, observed, d.score, d.model_version, *shadow))
    refused = len(values) - len(rows)
    if not rows:
        return empty(DECISIONS), refused
    frame = pd.DataFrame(rows, columns=[name for name in DECISIONS if name != "transaction"])
    frame.insert(0, "transaction", hash_ids(ids, len(ids)))
    return frame.astype(DECISIONS).drop_duplicates("transaction").reset_index(drop=True), refused


def labels_frame(records: pa.Table) -> tuple[pd.DataFrame, int]:
    """Labels as a frame of `training.labels.ledger.LABEL_COLUMNS`, and how many messages were no labels.

    `received_at` becomes the time from which on *we* knew: the later of what the label says and its arrival. Of several
    messages under one label id the first that arrived is the label: a later twin cannot take its place.

    Args:
        records: of `training.labels.store.RECORDS`, in order of arrival.
    """
    rows, ids = [], []
    for value, arrived in zip(records["value"].to_pylist(), records["timestamp"].to_pylist(), strict=True):
        try:
            label = Label.model_validate_json(value)
        except ValidationError:
            continue
        ids.append(label.transaction_id)
        known = max(to_us(label.received_at), arrived)
        occurred = to_us(label.occurred_at)
        rows.append((label.label_id, label.verdict, label.source, occurred, known, label.supersedes or ""))
    refused = len(records) - len(rows)
    if not rows:
        return empty(LABEL_COLUMNS), refused
    columns = ["label_id", "verdict", "source", "occurred_at", "received_at", "supersedes"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["transaction"] = np.asarray(hash_ids(ids, len(ids)))
    return frame[list(LABEL_COLUMNS)].astype(LABEL_COLUMNS).drop_duplicates("label_id", ignore_index=True), refused
