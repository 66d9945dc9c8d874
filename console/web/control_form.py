"""From a form to a version of a control, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from console.web.site import Visit
from fraud.contracts.controls import Control, ControlKind
from fraud.controls.language.nodes import Type
from fraud.controls.language.rule import InvalidRule, compile_rule
from fraud.controls.state import one_line
from fraud.timestamps import to_datetime
from runtime.errors import Misconfigured

KINDS: Final[tuple[ControlKind, ...]] = ("rule", "list_entry", "condition", "policy")
EFFECTS: Final = ("block", "review", "challenge", "allow")
CONDITION_EFFECTS: Final = ("block", "review", "allow")
STATUSES: Final = ("draft", "shadow", "live")


def control_of(visit: Visit, control_id: str, kind: str) -> Control:
    """The version that the form writes.

    Raises:
        Misconfigured: one line that says what is wrong with it.
    """
    bodies = {"rule": _rule, "list_entry": _list_entry, "condition": _condition, "policy": _policy}
    if kind not in bodies:
        raise Misconfigured("kind: must be rule, list_entry, condition or policy")
    share = _number(visit, "share")
    return checked(
        {
            "control_id": control_id,
            "version": visit.number("version") + 1,
            "kind": kind,
            "status": visit.text("status"),
            "author": visit.name,
            "reason": visit.text("reason"),
            "written_at": to_datetime(visit.site.now_us()),
            "valid_from": _time(visit, "valid_from"),
            "valid_until": _time(visit, "valid_until"),
            "share": 1.0 if share is None else share,
            kind: {name: value for name, value in bodies[kind](visit).items() if value is not None},
        }
    )


def checked(fields: Mapping[str, Any]) -> Control:
    """A control of the contract.

    Raises:
        Misconfigured: the first thing that is wrong.
    """
    try:
        return Control.model_validate(fields)
    except ValidationError as error:
        raise Misconfigured(one_line(error)) from None


def typed_of(control: Control) -> dict[str, str]:
    """What the fields of the form hold of a control."""
    body = control.body.model_dump(exclude_none=True)
    texts = {name: str(value) for name, value in body.items() if name not in ("values", "costs")}
    ends = {"valid_from": control.valid_from, "valid_until": control.valid_until}
    return {
        **texts,
        "values": "\n".join(body.get("values") or ()),
        "costs": "\n".join(f"{name} = {value}" for name, value in (body.get("costs") or {}).items()),
        "share": str(control.share),
        **{name: end.strftime("%Y-%m-%dT%H:%M") if end else "" for name, end in ends.items()},
    }


def typed_in(visit: Visit) -> dict[str, str]:
    """What somebody has typed, to be shown again."""
    return {name: str(value) for name, value in visit.form.items() if name not in ("csrf", "version", "kind", "status")}


def _rule(visit: Visit) -> dict[str, Any]:
    names = ("max_amount", "max_score")
    when = visit.text("when")
    if when is not None:
        try:
            compile_rule(when, visit.site.names())
        except InvalidRule as error:
            raise Misconfigured(f"when: {error}") from None
    return {
        "when": when,
        "effect": visit.text("effect"),
        **{name: _number(visit, name) for name in names},
    }


def _list_entry(visit: Visit) -> dict[str, Any]:
    lines = (visit.text("values") or "").splitlines()
    return {"list": visit.text("list"), "values": [line.strip() for line in lines if line.strip()]}


def _condition(visit: Visit) -> dict[str, Any]:
    texts = {name: visit.text(name) for name in ("entity", "id", "effect")}
    entity, names = texts["entity"] or "", visit.site.names()
    held = names.get(entity) or names.get(f"attribute_{entity}")
    if held is None or held.type is not Type.TEXT or held.source is not None:
        nearest = names.nearest(entity)
        raise Misconfigured(f"entity: no field {entity} that holds an id" + (f"; is it {nearest}?" if nearest else ""))
    return {**texts, "up_to": _number(visit, "up_to")}


def _policy(visit: Visit) -> dict[str, Any]:
    numbers = {name: _number(visit, name) for name in ("flag_from", "review_capacity", "explore_share")}
    return {**numbers, "costs": _costs(visit.text("costs") or "") or None}


def _costs(text: str) -> dict[str, float]:
    """Lines of a name, =, and an amount."""
    costs: dict[str, float] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, amount = (part.strip() for part in line.partition("="))
        try:
            costs[name] = float(amount)
        except ValueError:
            raise Misconfigured(f"costs: {line[:60]!r} must be a name, =, and an amount") from None
    return costs


def _number(visit: Visit, name: str) -> float | None:
    text = visit.text(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise Misconfigured(f"{name}: must be a number") from None


def _time(visit: Visit, name: str) -> datetime | None:
    text = visit.text(name)
    try:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Misconfigured(f"{name}: must be a time") from None
