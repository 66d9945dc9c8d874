"""Rules, lists, conditions and levers: read, written, approved; and the offers of a case."""

import difflib
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from starlette.responses import Response

from console.accounts.roles import Role
from console.projection.case_view import CaseView, case_view
from console.projection.controls import fired
from console.web.case import OFFERED
from console.web.control_form import (
    CONDITION_EFFECTS,
    EFFECTS,
    KINDS,
    STATUSES,
    checked,
    control_of,
    typed_in,
    typed_of,
)
from console.web.guard import failure
from console.web.rules import lists_read
from console.web.site import Visit, see
from fraud.contracts.controls import Control
from fraud.timestamps import to_datetime
from runtime.errors import Misconfigured, VersionConflict

STEPS: Final = {"pause": "paused", "archive": "archived", "approve": "live"}
MOST_DAYS: Final = 365


def controls_page(visit: Visit) -> Response:
    """All of them."""
    site = visit.site
    with site.readers.view() as connection:
        site.controls.refresh(connection)
    found = sorted(
        site.controls.current().values(), key=lambda one: (one.status == "archived", one.kind, one.control_id)
    )
    kind = visit.request.query_params.get("kind", "")
    shown = [one for one in found if kind in ("", one.kind)]
    return visit.page("controls.html.j2", controls=shown, kinds=KINDS, now=to_datetime(site.now_us()))


def new_page(visit: Visit) -> Response:
    """An empty form of a kind."""
    kind = visit.request.path_params["kind"]
    if kind not in KINDS:
        return failure(visit.site, 404, "missing")
    return visit.page("control_new.html.j2", kind=kind, control_id="", version=0, typed={}, told="", **_choices())


def control_page(visit: Visit) -> Response:
    """One control: its content, versions and what each changed."""
    return _shown(visit, visit.request.path_params["control_id"])


def write(visit: Visit) -> Response:
    """A new version, by the form."""
    control_id = visit.text("control_id") or ""
    if visit.text("kind") == "policy" and visit.role < Role.lead:
        return failure(visit.site, 403, "role")
    kind = visit.text("kind") or ""
    return _put(visit, "write", control_id, lambda: control_of(visit, control_id, kind), again=kind)


def step(visit: Visit) -> Response:
    """The same content in another status; approving is one such step, by somebody else."""
    control_id, wanted = visit.request.path_params["control_id"], visit.text("step") or ""
    if wanted not in STEPS:
        return failure(visit.site, 404, "missing")
    if wanted == "approve" and visit.role < Role.lead:
        return failure(visit.site, 403, "role")

    def next_version() -> Control:
        with visit.site.readers.view() as connection:
            visit.site.controls.refresh(connection)
        present = visit.site.controls.current().get(control_id)
        if present is None:
            raise Misconfigured(f"there is no control {control_id}")
        return checked(
            {
                **present.model_dump(exclude_none=True),
                "version": visit.number("version") + 1,
                "status": STEPS[wanted],
                "author": visit.name,
                "approver": visit.name if wanted == "approve" else None,
                "reason": visit.text("reason"),
                "written_at": to_datetime(visit.site.now_us()),
            }
        )

    return _put(visit, wanted, control_id, next_version)


def offer(visit: Visit) -> Response:
    """What a case offers: an id of its payment on a list, or a condition on it, for some days."""
    site, case_id = visit.site, visit.request.path_params["case_id"]
    with site.readers.view() as connection:
        view = case_view(connection, case_id, site.payments)
    if view is None or view.payment is None:
        return failure(site, 404, "missing")
    payment, field = as_scored(visit, view), visit.text("field") or ""
    control_id = f"case-{case_id[:8]}-{secrets.token_hex(3)}"

    def offered() -> Control:
        if field not in OFFERED or not isinstance(payment.get(field), str):
            raise Misconfigured("the payment has no such id, or is no longer in the log")
        days = visit.number("days")
        if not 1 <= days <= MOST_DAYS:
            raise Misconfigured(f"days: must be 1 to {MOST_DAYS}")
        now = to_datetime(site.now_us())
        what = visit.text("what") or ""
        return checked(
            {
                "control_id": control_id,
                "version": 1,
                "status": "draft" if what == "allow" else "live",
                "author": visit.name,
                "reason": f"case {case_id}: {visit.text('reason') or ''}".strip(),
                "written_at": now,
                "valid_until": now + timedelta(days=days),
                **_offered_body(visit, what, field, payment[field]),
            }
        )

    return _put(visit, "offer", control_id, offered, back=f"/case/{case_id}")


def as_scored(visit: Visit, view: CaseView) -> dict[str, Any]:
    """The payment with the ids that the scorer compares, which pseudonyms stand for here; {} where they are gone.

    Raises:
        Unavailable: they can be read from Kafka alone, which is away.
    """
    said = view.alert or view.decision
    if visit.site.payments.pseudonyms is None:
        return view.payment or {}
    return {} if said is None else visit.site.payment_at(said["source"]) or {}


def _offered_body(visit: Visit, what: str, field: str, value: str) -> dict[str, Any]:
    if what == "list":
        return {"kind": "list_entry", "list_entry": {"list": visit.text("list"), "values": [value]}}
    body: dict[str, Any] = {"entity": field, "id": value, "effect": what}
    if what == "allow":
        body["up_to"] = float(visit.number("up_to"))
    return {"kind": "condition", "condition": body}


def _put(
    visit: Visit,
    act: str,
    control_id: str,
    make: Callable[[], Control],
    *,
    back: str | None = None,
    again: str = "",
) -> Response:
    """Writes a version; what does not count is said, and noted as well.

    Args:
        visit: whose form it is.
        act: what is done, for the audit.
        control_id: to what.
        make: the version; Misconfigured where the form makes none.
        back: where to go afterwards; the control by default.
        again: kind of the control whose form is shown again, as it was typed, with what is wrong.
    """
    result, told = "done", None
    try:
        visit.site.control_acts.put(make())
    except VersionConflict:
        result, told = "conflict", visit.site.text.control_refused.conflict
    except Misconfigured as error:
        result, told = "invalid", visit.site.text.control_refused.invalid.format(detail=error)
    visit.site.accounts.note(visit.name, f"control {act}", control_id, result, now_us=visit.site.now_us())
    visit.site.metrics.acts.labels(f"control_{act}", result).inc()
    if told is None:
        return see(back or f"/controls/{control_id}")
    if again not in KINDS or result == "conflict":
        return visit.page("control_refused.html.j2", 409, told=told, back=back or "/controls")
    return visit.page(
        "control_new.html.j2",
        409,
        kind=again,
        control_id=control_id if visit.number("version") > 0 else "",
        version=max(0, visit.number("version")),
        typed=typed_in(visit),
        told=told,
        **_choices(),
    )


def _shown(visit: Visit, control_id: str) -> Response:
    site = visit.site
    with site.readers.view() as connection:
        site.controls.refresh(connection)
        counted = [fired(connection, control_id, site.now_us(), shadow=shadow) for shadow in (False, True)]
    versions = site.controls.versions(control_id)
    if not versions:
        return failure(site, 404, "missing")
    present = versions[0].control
    former = [None, *(version.control for version in reversed(versions[1:]))][::-1]
    return visit.page(
        "control.html.j2",
        control=present,
        control_id=control_id,
        body=present.body.model_dump(exclude_none=True),
        typed=typed_of(present),
        told="",
        trial=site.backtests.of(present.name),
        lists=lists_read(visit, present),
        kind=present.kind,
        version=present.version,
        versions=[(one, _diff(before, one.control)) for one, before in zip(versions, former, strict=True)],
        content_author=site.controls.content_author(control_id),
        fired=counted[0],
        in_shadow=counted[1],
        **_choices(),
    )


def _choices() -> dict[str, object]:
    return {"effects": EFFECTS, "condition_effects": CONDITION_EFFECTS, "statuses": STATUSES}


def _diff(before: Control | None, after: Control) -> list[str]:
    """Lines with `+` and `-` before them, of status, share, end and content."""
    return [line for line in difflib.ndiff(_lines(before), _lines(after)) if line[:1] in "+-"]


def _lines(control: Control | None) -> list[str]:
    if control is None:
        return []
    shown = control.model_dump(mode="json", include={"status", "share", "valid_until", control.kind}, exclude_none=True)
    return json.dumps(shown, indent=1, ensure_ascii=False).splitlines()[1:-1]
