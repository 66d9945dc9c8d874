"""The queue: which cases, in which order."""

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, Self, TypeAlias
from urllib.parse import urlencode

PAGE: Final = 50
BLIND_ON_PAGE: Final = 5
"""Rows of a page that are blind cases, while there are any."""

RECENT_SECONDS: Final = 1.0

State: TypeAlias = Literal["open", "mine", "snoozed", "closed"]
STATES: Final[tuple[State, ...]] = ("open", "mine", "snoozed", "closed")
LEVELS: Final = ("low", "medium", "high", "critical")
ACTIONS: Final = ("challenge", "review", "block")

_COLUMNS: Final = (
    "case_id, kind, transaction_id, worth, opened_us, score, level, action, amount, currency, version, status, holder,"
    " claim_until_us, snooze_until_us, verdict, judged_by, judged_us"
)

_FOUND: Final = (
    "case_id IN (SELECT ? UNION SELECT case_id FROM cases WHERE transaction_id = ? UNION SELECT c.case_id"
    " FROM link l JOIN cases c USING (transaction_id) WHERE l.kind = 'customer' AND l.value = ?)"
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a queue page shows; the empty text stands for no filter."""

    state: State = "open"
    level: str = ""
    action: str = ""
    least: str = ""
    find: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """As an address has them; what is no filter is left out, and a wrong value counts as none."""
        state = query.get("state", "open")
        least = query.get("least", "").strip()
        return cls(
            state=state if state in STATES else "open",
            level=query.get("level", "") if query.get("level") in LEVELS else "",
            action=query.get("action", "") if query.get("action") in ACTIONS else "",
            least=least if least.replace(".", "", 1).isascii() and least.replace(".", "", 1).isdigit() else "",
            find=query.get("find", "").strip()[:256],
        )

    def query(self) -> str:
        """As an address has them."""
        return urlencode(
            {name: value for name, value in asdict(self).items() if value and (name, value) != ("state", "open")}
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case that may be claimed."""

    case_id: str
    version: int


def page(connection: sqlite3.Connection, filters: Filters, user: str, now_us: int, *, number: int) -> list[sqlite3.Row]:
    """Rows of page `number`, from 0; of the open queue every tenth is a blind case."""
    if filters.state != "open":
        return _select(connection, filters, user, now_us, limit=PAGE, offset=number * PAGE)
    share = 0 if _narrowed(filters) else BLIND_ON_PAGE
    blind = _select(connection, filters, user, now_us, kind="blind", limit=share, offset=number * share)
    size = PAGE - share
    alerts = _select(connection, filters, user, now_us, kind="alert", limit=PAGE - len(blind), offset=number * size)
    every = PAGE // BLIND_ON_PAGE
    for place, row in enumerate(blind):
        alerts.insert(place * every + every // 2, row)
    return alerts


def candidates(
    connection: sqlite3.Connection, filters: Filters, user: str, now_us: int, *, kind: Literal["alert", "blind"]
) -> list[Candidate]:
    """The first free cases of a kind that the user does not hold yet, in the queue's order."""
    if kind == "blind" and _narrowed(filters):
        return []
    wanted = Filters(level=filters.level, action=filters.action, least=filters.least)
    rows = _select(connection, wanted, user, now_us, kind=kind, limit=20, offset=0)
    return [
        Candidate(row["case_id"], row["version"])
        for row in rows
        if row["holder"] != user or now_us >= row["claim_until_us"]
    ]


@dataclass(frozen=True, slots=True)
class Counts:
    """What the head of the queue says."""

    open: int
    overdue: int
    oldest_us: int | None
    held: int


def counts(connection: sqlite3.Connection, now_us: int, *, sla_us: int) -> Counts:
    """Of open cases on alerts: blind ones have no clock."""
    waiting = "FROM cases WHERE status = 'open' AND kind = 'alert'"
    row = connection.execute(
        f"SELECT (SELECT count(*) {waiting}), (SELECT count(*) {waiting} AND opened_us <= ?),"
        f" (SELECT min(opened_us) {waiting})",
        (now_us - sla_us,),
    ).fetchone()
    held = connection.execute(
        "SELECT count(*) FROM cases WHERE holder IS NOT NULL AND +status = 'open' AND claim_until_us > ?", (now_us,)
    ).fetchone()[0]
    return Counts(row[0], row[1], row[2], held)


class RecentCounts:
    """Counts of a second ago at most: of a long queue they cost more than all else on its page. For any thread."""

    def __init__(self) -> None:
        self._kept: tuple[float, Counts] | None = None

    def of(self, connection: sqlite3.Connection, now_us: int, *, sla_us: int, monotonic: float) -> Counts:
        """See `counts`; `monotonic`: seconds that never go back."""
        kept = self._kept
        if kept is None or monotonic - kept[0] >= RECENT_SECONDS:
            kept = self._kept = monotonic, counts(connection, now_us, sla_us=sla_us)
        return kept[1]


def _narrowed(filters: Filters) -> bool:
    """Blind cases have no level, action or amount to show: a filter would tell what is hidden."""
    return bool(filters.level or filters.action or filters.least or filters.find)


def _select(
    connection: sqlite3.Connection,
    filters: Filters,
    user: str,
    now_us: int,
    *,
    limit: int,
    offset: int,
    kind: str = "",
) -> list[sqlite3.Row]:
    where, values = _state(filters.state, user, now_us)
    for condition, value in (
        ("kind = ?", kind),
        ("level = ?", filters.level),
        ("action = ?", filters.action),
        ("amount >= ?", float(filters.least) if filters.least else ""),
    ):
        if value != "":
            where, values = [*where, condition], [*values, value]
    if filters.find:
        # The few that are found are looked at, instead of the queue: the `+` keeps SQLite from its index.
        where = [*(f"+{condition}" if condition[0] != "(" else condition for condition in where), _FOUND]
        values = [*values, filters.find, filters.find, filters.find]
    order = "judged_us DESC" if filters.state == "closed" else "worth DESC"
    return connection.execute(
        f"SELECT {_COLUMNS} FROM cases WHERE {' AND '.join(where)} ORDER BY {order}, case_id LIMIT ? OFFSET ?",  # noqa: S608 - our own words; values are bound
        (*values, limit, offset),
    ).fetchall()


def _state(state: State, user: str, now_us: int) -> tuple[list[str], list[str | int | float]]:
    """A `+` keeps SQLite from the index of what is open, by far the longest, where a shorter one serves."""
    if state == "mine":
        return ["+status = 'open'", "kind IS NOT NULL", "holder = ?", "claim_until_us > ?"], [user, now_us]
    if state == "snoozed":
        return ["+status = 'open'", "+kind IS NOT NULL", "snooze_until_us > 0", "snooze_until_us > ?"], [now_us]
    if state == "closed":
        return ["+status = 'closed'", "kind IS NOT NULL", "judged_us > 0"], []
    return (
        ["status = 'open'", "kind IS NOT NULL", "snooze_until_us <= ?",
         "(holder IS NULL OR holder = ? OR claim_until_us <= ?)", "(first_by IS NULL OR first_by != ?)"],
        [now_us, user, now_us, user],
    )  # fmt: skip
