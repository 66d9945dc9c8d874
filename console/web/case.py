"""The case page and what is done on it."""

import json
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from console.acts import Refused
from console.model_files import run_at
from console.projection.case_view import CaseView, case_view, linked_cases
from console.projection.payments import LINKS
from console.projection.queue import Filters
from console.web.graph import HEIGHT, WIDTH, drawing
from console.web.guard import failure
from console.web.queue import open_next
from console.web.shown import Personal
from console.web.site import Visit, see

HOUR: Final = 3600
SNOOZES: Final = {"hour": HOUR, "day": 24 * HOUR, "three_days": 72 * HOUR, "week": 168 * HOUR}
REASONS: Final = (
    "stolen_card", "account_taken_over", "card_testing", "linked_to_fraud", "customer_confirmed", "known_behaviour",
    "refund_abuse", "goods_dispute", "other",
)  # fmt: skip
VERDICTS: Final = ("unauthorised", "first_party", "service", "genuine")
MOST_TOGETHER: Final = 40
OFFERED: Final = (
    "customer_id", "card_fingerprint", "card_id", "device_id", "ip", "email_hash", "shipping_address_hash"
)  # fmt: skip
"""Fields of a payment whose values a case offers to act on."""

SIMPLE: Final = ("claim", "release", "note", "reopen")


def case_page(visit: Visit) -> Response:
    """One case."""
    site, case_id = visit.site, visit.request.path_params["case_id"]
    with site.readers.view() as connection:
        view = case_view(connection, case_id, site.payments)
    if view is None:
        return failure(site, 404, "missing")
    blind = view.row["kind"] == "blind" and view.row["judged_us"] == 0
    paid = view.payment or {}
    return visit.page(
        "case.html.j2",
        view=view,
        case=view.row,
        blind=blind,
        held=view.row["holder"] == visit.name and view.row["claim_until_us"] > site.now_us(),
        taken=view.row["holder"] is not None and view.row["claim_until_us"] > site.now_us(),
        drawing=drawing(view.links, paid.get("transaction_id", "")),
        width=WIDTH,
        height=HEIGHT,
        snoozes=SNOOZES,
        reasons=REASONS,
        verdicts=VERDICTS,
        users=[user.name for user in site.accounts.users()],
        offered=OFFERED,
        learnt=learnt_from(visit, view),
        days=site.settings.console_maturity.days,
        minutes=int(site.settings.console_claim.total_seconds() // 60),
        one_in=round(1 / site.settings.console_blind_share) if site.settings.console_blind_share else 0,
        raw=json.dumps(visit_event(visit, paid), indent=1, ensure_ascii=False),
    )


def learnt_from(visit: Visit, view: CaseView) -> tuple[dict[str, object], bool] | None:
    """The announcement of the first promoted version that may have learnt from the label, and whether that is sure.

    A version that was made before the label came is passed over, where the loop's runs are there to tell.
    """
    folder = visit.site.settings.console_reports_dir
    for announcement in view.promotions:
        at_us = None if folder is None else run_at(folder, int(announcement.get("run") or 0))
        if at_us is None or at_us >= (view.arrived_us or 0):
            return announcement, at_us is not None
    return None


def visit_event(visit: Visit, paid: dict[str, object]) -> dict[str, str]:
    """The event's fields as this visitor may see them."""
    return Personal(visit.site.key, visit.role).event(paid)


def simple_act(visit: Visit) -> Response:
    """Claim, give back, note, undo: the form's `act`."""
    act = visit.text("act") or ""
    if act not in SIMPLE:
        return failure(visit.site, 404, "missing")
    return _done(visit, act, {"text": visit.text("text")} if act in ("note", "reopen") else {})


def judge(visit: Visit) -> Response:
    """The verdict; its label follows from it."""
    fields = {"verdict": visit.text("verdict"), "reason_code": visit.text("reason_code"), "text": visit.text("text")}
    if fields["reason_code"] not in REASONS:
        fields["reason_code"] = None
    answer = _done(visit, "verdict", fields)
    return open_next(visit, Filters()) if answer.status_code == 303 and visit.text("then") == "next" else answer


def snooze(visit: Visit) -> Response:
    """Sets the case aside for a time."""
    return _done(visit, "snooze", {"seconds": SNOOZES.get(visit.text("for") or "")})


def merge(visit: Visit) -> Response:
    """Makes the case part of another."""
    into = visit.text("into") or ""
    with visit.site.readers.view() as connection:
        other = case_view(connection, into, visit.site.payments)
    if other is None or other.row["status"] != "open" or other.row["first_case"]:
        return visit.refused(Refused("unknown"), f"/case/{visit.request.path_params['case_id']}")
    return _done(visit, "merge", {"into": into})


def assign(visit: Visit) -> Response:
    """Hands the case to somebody else."""
    to = visit.text("to") or ""
    if visit.site.accounts.user(to) is None:
        return visit.refused(Refused("nobody"), f"/case/{visit.request.path_params['case_id']}")
    return _done(visit, "assign", {"to": to, "text": visit.text("text")})


def group_page(visit: Visit, told: str = "") -> Response:
    """Open cases that share something with a case."""
    site, case_id = visit.site, visit.request.path_params["case_id"]
    kind = visit.request.path_params["kind"]
    with site.readers.view() as connection:
        view = case_view(connection, case_id, site.payments)
        links = [] if view is None else [link for link in view.links if link.kind == kind]
        rows = {row["case_id"]: row for link in links for row in linked_cases(connection, link.kind, link.value)}
    if view is None or kind not in LINKS or (view.row["kind"] == "blind" and not view.row["judged_us"]):
        return failure(site, 404, "missing")
    return visit.page(
        "group.html.j2",
        case=view.row,
        kind=kind,
        rows=list(rows.values()),
        reasons=REASONS,
        verdicts=VERDICTS,
        told=told,
    )


def judge_group(visit: Visit) -> Response:
    """Claims and judges the ticked cases, each by events of its own."""
    fields = {"verdict": visit.text("verdict"), "reason_code": visit.text("reason_code"), "text": visit.text("text")}
    done = 0
    left: list[str] = []
    for ticked in visit.texts("case")[:MOST_TOGETHER]:
        case_id, _, version = ticked.partition(" ")
        refused = _judge_one(visit, case_id, int(version) if version.isascii() and version.isdigit() else -1, fields)
        visit.note("verdict", case_id, refused)
        done, left = (done + 1, left) if refused is None else (done, [*left, refused.reason])
    words = {getattr(visit.site.text.refused, reason) for reason in left}
    told = visit.site.text.group.done.format(done=done, left=len(left), reasons=" ".join(sorted(words)))
    return group_page(visit, told)


def _judge_one(visit: Visit, case_id: str, version: int, fields: dict[str, str | None]) -> Refused | None:
    acts = visit.site.acts
    if not fields["verdict"] or fields["reason_code"] not in REASONS:
        return Refused("incomplete")
    refused = acts.do("claim", case_id, visit.name, version)
    return refused or acts.do("verdict", case_id, visit.name, version + 1, **fields)


def _done(visit: Visit, act: str, fields: Mapping[str, object]) -> Response:
    case_id = visit.request.path_params["case_id"]
    refused = visit.site.acts.do(act, case_id, visit.name, visit.number("version"), **fields)
    visit.note(act, case_id, refused)
    return see(f"/case/{case_id}") if refused is None else visit.refused(refused, f"/case/{case_id}")
