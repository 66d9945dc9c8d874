"""Everything that is known of one case, put together from the tables."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any, Final

import msgspec

from console.projection.payments import Payments, in_major_units, links_of
from fraud.contracts.cases import CaseEvent

TIMELINE: Final = 60
LINKED: Final = 40
PROMOTIONS: Final = 10
USUAL_FROM: Final = 200
"""Earlier payments of a customer that its usual values are taken from, at most."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a payment shares with others: how many they are, and the newest of them."""

    kind: str
    value: str
    count: int
    payments: list[sqlite3.Row]


@dataclass(frozen=True, slots=True)
class Usual:
    """What the customer did before: numbers to hold this payment against."""

    payments: int
    median_amount: float | None
    largest_amount: float | None
    known: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case; `alert`, `decision` and `promotions` are as their topics have them.

    `second` is the case in which another analyst judged the same, once that is done; `arrived_us` is when the label
    that follows from the case's verdict came into its topic.
    """

    row: sqlite3.Row
    payment: dict[str, Any] | None
    alert: dict[str, Any] | None
    decision: dict[str, Any] | None
    labels: list[sqlite3.Row]
    events: list[dict[str, Any]]
    merged: list[sqlite3.Row]
    second: sqlite3.Row | None
    links: list[Link]
    timeline: list[sqlite3.Row]
    usual: Usual | None
    arrived_us: int | None
    promotions: list[dict[str, Any]]


def case_view(connection: sqlite3.Connection, case_id: str, payments: Payments) -> CaseView | None:
    """The case, or None."""
    row = connection.execute("SELECT * FROM cases WHERE case_id = ? AND kind IS NOT NULL", (case_id,)).fetchone()
    if row is None:
        return None
    decision = connection.execute(
        "SELECT raw FROM decision WHERE alert_id = ?"
        " UNION ALL SELECT raw FROM decision WHERE transaction_id = ? LIMIT 1",
        (case_id, row["transaction_id"]),
    ).fetchone()
    alert_id = row["first_case"] or case_id
    alert = connection.execute("SELECT raw FROM alert WHERE alert_id = ?", (alert_id,)).fetchone()
    true_id = row["transaction_id"] if decision is None else _decoded(decision)["transaction_id"]
    own_id = row["transaction_id"] if row["kind"] == "alert" else payments.id_of(row["transaction_id"])
    payment = connection.execute("SELECT raw FROM payment WHERE transaction_id = ?", (own_id,)).fetchone()
    paid = None if payment is None else _decoded(payment)
    links = [] if paid is None else [_link(connection, kind, value) for kind, value in links_of(paid)]
    labels = connection.execute(
        "SELECT * FROM label WHERE transaction_id = ? ORDER BY arrived_us", (true_id,)
    ).fetchall()
    arrived_us = next((label["arrived_us"] for label in labels if label["label_id"] == row["label_id"]), None)
    return CaseView(
        row=row,
        payment=paid,
        alert=None if alert is None else _decoded(alert),
        decision=None if decision is None else _decoded(decision),
        labels=labels,
        events=_events(connection, case_id),
        merged=connection.execute("SELECT * FROM cases WHERE merged_into = ?", (case_id,)).fetchall(),
        second=connection.execute(
            "SELECT * FROM cases WHERE first_case = ? AND status = 'closed'", (case_id,)
        ).fetchone(),
        links=links,
        timeline=_timeline(connection, links),
        usual=None if paid is None else _usual(connection, paid),
        arrived_us=arrived_us,
        promotions=_promotions(connection, arrived_us),
    )


def linked_cases(connection: sqlite3.Connection, kind: str, value: str) -> list[sqlite3.Row]:
    """Open cases on payments that share something, worthiest first."""
    return connection.execute(
        # The `+` keeps SQLite from a walk over the queue, which its order invites to.
        "SELECT c.* FROM link l JOIN cases c USING (transaction_id) WHERE l.kind = ? AND l.value = ?"
        " AND +c.status = 'open' AND +c.kind = 'alert' ORDER BY +c.worth DESC LIMIT ?",
        (kind, value, LINKED),
    ).fetchall()


def _decoded(row: sqlite3.Row) -> dict[str, Any]:
    return msgspec.json.decode(row["raw"], type=dict[str, Any])


def _events(connection: sqlite3.Connection, case_id: str) -> list[dict[str, Any]]:
    rows = connection.execute("SELECT * FROM case_event WHERE case_id = ? ORDER BY offset", (case_id,))
    optional = dict.fromkeys(CaseEvent.model_fields)
    return [{**optional, **_decoded(row), "stamp_us": row["stamp_us"], "refused": row["refused"]} for row in rows]


def _link(connection: sqlite3.Connection, kind: str, value: str) -> Link:
    count = connection.execute("SELECT count(*) FROM link WHERE kind = ? AND value = ?", (kind, value)).fetchone()[0]
    rows = connection.execute(
        "SELECT p.transaction_id, p.event_us, p.customer_id, p.amount, p.currency, c.case_id, c.status, c.verdict,"
        " c.kind, c.score, c.action FROM link l JOIN payment p USING (transaction_id)"
        " LEFT JOIN cases c ON c.transaction_id = l.transaction_id AND c.kind = 'alert'"
        " WHERE l.kind = ? AND l.value = ? ORDER BY l.event_us DESC LIMIT ?",
        (kind, value, LINKED),
    ).fetchall()
    return Link(kind, value, count, rows)


def _timeline(connection: sqlite3.Connection, links: list[Link]) -> list[sqlite3.Row]:
    """Payments of this customer, card and device, newest first, each with what became of it."""
    wanted = [link for link in links if link.kind in ("customer", "card", "device")]
    if not wanted:
        return []
    one = (
        "SELECT * FROM (SELECT transaction_id, event_us, kind FROM link WHERE kind = ? AND value = ?"
        " ORDER BY event_us DESC LIMIT ?)"
    )
    return connection.execute(
        f"SELECT p.transaction_id, p.event_us, p.amount, p.currency, group_concat(DISTINCT l.kind) AS shares,"  # noqa: S608 - our own words
        " (SELECT group_concat(o.kind) FROM outcome o WHERE o.transaction_id = p.transaction_id) AS outcomes,"
        " (SELECT d.action FROM decision d WHERE d.transaction_id = p.transaction_id LIMIT 1) AS action,"
        " (SELECT d.score FROM decision d WHERE d.transaction_id = p.transaction_id LIMIT 1) AS score,"
        " (SELECT b.verdict FROM label b WHERE b.transaction_id = p.transaction_id ORDER BY b.arrived_us DESC LIMIT 1)"
        f" AS label FROM ({' UNION ALL '.join([one] * len(wanted))}) l JOIN payment p USING (transaction_id)"
        " GROUP BY p.transaction_id ORDER BY p.event_us DESC LIMIT ?",
        [*(value for link in wanted for value in (link.kind, link.value, TIMELINE)), TIMELINE],
    ).fetchall()


def _usual(connection: sqlite3.Connection, paid: dict[str, Any]) -> Usual:
    now = connection.execute(
        "SELECT event_us FROM payment WHERE transaction_id = ?", (paid["transaction_id"],)
    ).fetchone()
    rows = connection.execute(
        "SELECT p.raw FROM link l JOIN payment p USING (transaction_id) WHERE l.kind = 'customer' AND l.value = ?"
        " AND l.event_us < ? ORDER BY l.event_us DESC LIMIT ?",
        (paid["customer_id"], now["event_us"], USUAL_FROM),
    ).fetchall()
    before = [_decoded(row) for row in rows]
    amounts = [in_major_units(p["amount"], p["currency"]) for p in before if p["currency"] == paid["currency"]]
    seen = {link for payment in before for link in links_of(payment)}
    known = {kind: (kind, value) in seen for kind, value in links_of(paid) if kind != "customer"}
    return Usual(len(before), median(amounts) if amounts else None, max(amounts, default=None), known)


def _promotions(connection: sqlite3.Connection, arrived_us: int | None) -> list[dict[str, Any]]:
    """Announcements of the first versions that were promoted after the case's label had arrived, oldest first."""
    if arrived_us is None:
        return []
    rows = connection.execute("SELECT raw FROM announcement WHERE at_us > ? ORDER BY at_us", (arrived_us,))
    found = (announcement for announcement in map(_decoded, rows) if announcement["type"] == "promotion")
    return list(islice(found, PROMOTIONS))
