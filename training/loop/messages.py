"""What decisions and labels say, as frames for the ledger; messages off the contract are left out and counted."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from fraud.batch import hash_ids
from fraud.events import Action, LabelSource, Verdict
from fraud.times import parse_time
from training.ledger import LABEL_COLUMNS, empty


class _Shadow(Struct):
    model_version: int
    score: float
    action: Action


class _Decision(Struct):
    transaction_id: str
    event_time: str
    score: float
    model_action: Action
    action: Action
    propensity: float
    model_version: int
    shadow: _Shadow | None = None


class _Label(Struct):
    label_id: str
    transaction_id: str
    verdict: Verdict
    source: LabelSource
    occurred_at: str
    received_at: str
    supersedes: str | None = None


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
"""Columns of decisions; `time` is the payment's, `shadow_version` 0 and `shadow_action` "" without a shadow."""


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
        rows.append((time, d.action, d.model_action, d.propensity, d.score, d.model_version, *shadow))
    refused = len(values) - len(rows)
    if not rows:
        return empty(DECISIONS), refused
    frame = pd.DataFrame(rows, columns=[name for name in DECISIONS if name != "transaction"])
    frame.insert(0, "transaction", hash_ids(ids, len(ids)))
    return frame.astype(DECISIONS).drop_duplicates("transaction").reset_index(drop=True), refused


def labels_frame(values: Sequence[bytes]) -> tuple[pd.DataFrame, int]:
    """Labels as a frame of `training.ledger.LABEL_COLUMNS`, and how many messages were no labels."""
    decoder = msgspec.json.Decoder(_Label)
    rows, ids = [], []
    for value in values:
        try:
            label = decoder.decode(value)
            times = (parse_time(label.occurred_at), parse_time(label.received_at))
        except (msgspec.DecodeError, ValueError):
            continue
        ids.append(label.transaction_id)
        rows.append((label.label_id, label.verdict, label.source, *times, label.supersedes or ""))
    refused = len(values) - len(rows)
    if not rows:
        return empty(LABEL_COLUMNS), refused
    columns = ["label_id", "verdict", "source", "occurred_at", "received_at", "supersedes"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["transaction"] = np.asarray(hash_ids(ids, len(ids)))
    return frame[list(LABEL_COLUMNS)].astype(LABEL_COLUMNS), refused
