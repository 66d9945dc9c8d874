"""What helps to write a rule: the names that it may use, the lists that it looks in, and what it would have done."""

from typing import Final

from starlette.responses import Response

from console.web.guard import failure
from console.web.site import Visit, see
from fraud.contracts.controls import Control
from fraud.controls.language.rule import InvalidRule, compile_rule

SHOWN: Final = 60
"""Names on one page."""

DAYS: Final = (1, 7, 30)
JUDGED_KINDS: Final = ("rule", "condition", "list_entry")
"""Kinds that a backtest can judge; a lever changes what the policy chooses, which is not decided again here."""


def names_page(visit: Visit) -> Response:
    """Names that hold a text, with type, meaning and an example; htmx asks for the table alone."""
    query = visit.request.query_params
    find, names = query.get("find", "").strip()[:64], visit.site.names()
    words = find.lower().split()
    found = [name for name in names if all(word in f"{name.name} {name.meaning}".lower() for word in words)]
    fragment = visit.request.headers.get("hx-request") == "true"
    return visit.page(
        "names_table.html.j2" if fragment else "names.html.j2",
        find=find,
        found=[(name, names.example(name)) for name in found[:SHOWN]],
        count=len(found),
        all=len(names),
    )


def lists_read(visit: Visit, control: Control) -> list[tuple[str, int]]:
    """The lists that a rule looks in, each with how many values stand in it."""
    if control.rule is None:
        return []
    try:
        lists = compile_rule(control.rule.when, visit.site.names()).lists
    except InvalidRule:
        return []
    sizes = dict.fromkeys(sorted(lists), 0)
    for other in visit.site.controls.current().values():
        entry = other.list_entry
        if entry is not None and entry.list in sizes and other.status == "live":
            sizes[entry.list] += len(entry.values)
    return list(sizes.items())


def try_on_past(visit: Visit) -> Response:
    """Begins a backtest of a control's present version."""
    site, control_id = visit.site, visit.request.path_params["control_id"]
    with site.readers.view() as connection:
        site.controls.refresh(connection)
    present = site.controls.current().get(control_id)
    if present is None or present.kind not in JUDGED_KINDS or visit.number("days") not in DAYS:
        return failure(site, 404, "missing")
    begun = site.backtests.start(present, days=visit.number("days"), by=visit.name)
    visit.site.accounts.note(
        visit.name, "control backtest", present.name, "done" if begun else "busy", now_us=site.now_us()
    )
    if not begun:
        words = site.text.backtest.busy
        return visit.page("control_refused.html.j2", 409, told=words, back=f"/controls/{control_id}")
    return see(f"/controls/{control_id}#backtest")


def found_in_past(visit: Visit) -> Response:
    """What a backtest has found so far, for htmx to put in its place."""
    control_id = visit.request.path_params["control_id"]
    present = visit.site.controls.current().get(control_id)
    if present is None:
        return failure(visit.site, 404, "missing")
    trial = visit.site.backtests.of(present.name)
    return visit.page("backtest.html.j2", control_id=control_id, trial=trial)
