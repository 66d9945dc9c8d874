"""The queue's pages."""

from urllib.parse import parse_qsl

from starlette.responses import Response

from console.projection import queue
from console.web.site import Visit, see


def queue_page(visit: Visit) -> Response:
    """The list of cases; htmx asks for the table alone."""
    site, query = visit.site, visit.request.query_params
    filters, now_us = queue.Filters.of(query), site.now_us()
    number = int(query["page"]) if query.get("page", "").isascii() and query.get("page", "x")[:6].isdigit() else 0
    sla_us = int(site.settings.console_sla.total_seconds() * 1e6)
    with site.readers.view() as connection:
        rows = queue.page(connection, filters, visit.name, now_us, number=number)
        counts = site.counts.of(connection, now_us, sla_us=sla_us, monotonic=site.monotonic())
    fragment = visit.request.headers.get("hx-request") == "true"
    return visit.page(
        "queue_table.html.j2" if fragment else "queue.html.j2",
        rows=rows,
        counts=counts,
        filters=filters,
        number=number,
        sla_us=sla_us,
        full=len(rows) >= queue.PAGE - queue.BLIND_ON_PAGE,
        choices=queue,
        views=[] if fragment else site.accounts.views(visit.name),
    )


def take_next(visit: Visit) -> Response:
    """Claims the next case and opens it."""
    filters = queue.Filters.of(dict(parse_qsl(visit.text("query") or "")))
    return open_next(visit, filters)


def open_next(visit: Visit, filters: queue.Filters) -> Response:
    """The page of the next case, claimed; the queue where none is left."""
    case_id = visit.site.acts.claim_next(visit.name, filters)
    if case_id is None:
        return see(f"/queue?{filters.query()}")
    visit.note("claim", case_id)
    return see(f"/case/{case_id}")


def save_view(visit: Visit) -> Response:
    """Keeps the filters under a title."""
    filters = queue.Filters.of(dict(parse_qsl(visit.text("query") or "")))
    title = visit.text("title")
    if title:
        visit.site.accounts.save_view(visit.name, title[:60], filters.query())
        visit.note("save_view", title)
    return see(f"/queue?{filters.query()}")


def remove_view(visit: Visit) -> Response:
    """Forgets saved filters."""
    title = visit.text("title") or ""
    visit.site.accounts.remove_view(visit.name, title)
    visit.note("remove_view", title)
    return see("/queue")
