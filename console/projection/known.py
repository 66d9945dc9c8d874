"""What the projection knows of many payments at once: decisions, the labels that stand, and what came of versions."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec

from fraud.contracts.inbound import Verdict
from fraud.contracts.label_precedence import Precedence, standing

NEWEST: Final = 20_000
"""Labelled payments by which versions are judged."""


def decisions(connection: sqlite3.Connection, transaction_ids: Sequence[str]) -> dict[str, tuple[float, str]]:
    """Transaction id -> score, and what the model's policy chose; that before the authorisation where there are two."""
    rows = connection.execute(
        "SELECT transaction_id, score, model_action FROM decision WHERE transaction_id IN"
        " (SELECT value FROM json_each(?)) ORDER BY stage",
        (_listed(transaction_ids),),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def verdicts(connection: sqlite3.Connection, transaction_ids: Sequence[str]) -> dict[str, Verdict]:
    """Transaction id -> the verdict that stands, by the contract's precedence."""
    rows = connection.execute(
        "SELECT transaction_id, label_id, verdict, source, supersedes, occurred_us FROM label WHERE transaction_id IN"
        " (SELECT value FROM json_each(?)) ORDER BY transaction_id",
        (_listed(transaction_ids),),
    )
    return {name: standing(list(labels), _precedence)["verdict"] for name, labels in groupby(rows, lambda row: row[0])}


def realised(connection: sqlite3.Connection) -> dict[int, dict[str, float]]:
    """What came of each version's decisions, by the newest labels; figures as the loop names them, where defined.

    precision: share of fraud among flagged payments with a label; recall: share of frauds that had been flagged.
    """
    rows = connection.execute("SELECT DISTINCT transaction_id FROM label ORDER BY arrived_us DESC LIMIT ?", (NEWEST,))
    said = verdicts(connection, [row[0] for row in rows])
    decided = connection.execute(
        "SELECT transaction_id, model_version, model_action != 'allow' FROM decision WHERE transaction_id IN"
        " (SELECT value FROM json_each(?))",
        (_listed(list(said)),),
    )
    counts: dict[int, Counter[str]] = {}
    for name, version, flagged in decided:
        count, fraud = counts.setdefault(version, Counter()), said[name] == "unauthorised"
        count.update({"flagged": flagged, "fraud": fraud, "both": flagged and fraud})
    return {version: _shares(count) for version, count in counts.items()}


def _shares(count: Counter[str]) -> dict[str, float]:
    parts = {"precision": "flagged", "recall": "fraud"}
    return {figure: count["both"] / count[whole] for figure, whole in parts.items() if count[whole]}


def _precedence(label: sqlite3.Row) -> Precedence:
    return Precedence(label["label_id"], label["supersedes"], label["source"], label["occurred_us"])


def _listed(texts: Sequence[str]) -> str:
    return msgspec.json.encode(texts).decode()
