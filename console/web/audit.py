"""The record of what people did."""

from starlette.responses import Response

from console.web.site import Visit


def audit_page(visit: Visit) -> Response:
    """A hundred acts, newest first."""
    before = visit.request.query_params.get("before", "")
    rows = visit.site.accounts.audit(limit=100, before=int(before) if before.isascii() and before.isdigit() else None)
    return visit.page("audit.html.j2", rows=rows)
