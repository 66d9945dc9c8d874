"""What every page needs: the parts of the console, and how a template becomes an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import jinja2
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console.accounts.limits import Tries
from console.accounts.roles import Role
from console.accounts.store import Accounts, Session
from console.acts import Acts, Refused
from console.controls_writer import ControlActs
from console.metrics import ConsoleMetrics
from console.past.backtests import Backtests
from console.projection.controls import Controls
from console.projection.database import Readers
from console.projection.follower import Follower
from console.projection.payments import Payments
from console.projection.queue import RecentCounts
from console.settings import Settings
from console.text import texts
from console.web import shown
from fraud.contracts.outbound import Announcement
from fraud.controls.language.vocabulary import Vocabulary

FOLDER: Final = Path(__file__).parent


@cache
def environment() -> jinja2.Environment:
    """Templates in which everything is escaped, and a name that is missing is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "plain": shown.plain,
        "when": shown.when,
        "age": shown.age,
        "money": shown.money,
        "score": shown.score,
    }
    return made


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of a console."""

    settings: Settings
    readers: Readers
    accounts: Accounts
    follower: Follower
    acts: Acts
    control_acts: ControlActs
    backtests: Backtests
    names: Callable[[], Vocabulary]
    payment_at: Callable[[Mapping[str, Any]], dict[str, Any] | None]
    announce: Callable[[Announcement], None]
    payments: Payments
    metrics: ConsoleMetrics
    key: bytes
    now_us: Callable[[], int]
    monotonic: Callable[[], float]
    counts: RecentCounts = field(default_factory=RecentCounts)
    controls: Controls = field(default_factory=Controls)
    tries: Tries = field(default_factory=Tries)
    text: SimpleNamespace = field(default_factory=texts)
    templates: jinja2.Environment = field(default_factory=environment)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in."""

    site: Site
    request: Request
    session: Session
    form: FormData

    @property
    def name(self) -> str:
        """Who it is."""
        return self.session.user.name

    @property
    def role(self) -> Role:
        """What that person may do."""
        return self.session.user.role

    def text(self, name: str) -> str | None:
        """A field of the form, None where it is empty."""
        value = self.form.get(name)
        return value.strip() or None if isinstance(value, str) else None

    def number(self, name: str) -> int:
        """A whole number of the form; -1, which fits nothing, where it is none."""
        value = self.text(name)
        return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 16 else -1

    def texts(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def page(self, template: str, status: int = 200, /, **values: object) -> Response:
        """A page; `fragment` asks for its main part only, which htmx puts in place of the old one."""
        personal = shown.Personal(self.site.key, self.role)
        return render(self.site, template, status, visit=self, personal=personal, Role=Role, **values)

    def note(self, act: str, subject: str, refused: Refused | None = None) -> None:
        """Writes into the audit what was done, or what did not count."""
        result = "done" if refused is None else refused.reason
        self.site.accounts.note(self.name, act, subject, result, now_us=self.site.now_us())
        self.site.metrics.acts.labels(act, result).inc()

    def refused(self, refused: Refused, back: str) -> Response:
        """Says that an act did not count, and why."""
        status = 404 if refused.reason == "unknown" else 409
        return self.page("refused.html.j2", status, reason=refused.reason, back=back)


def render(site: Site, template: str, status: int = 200, **values: object) -> Response:
    """A template with the words and what the head of each page says."""
    shared: Mapping[str, object] = {
        "t": site.text,
        "now_us": site.now_us(),
        "trouble": site.follower.trouble,
        "behind": site.follower.behind,
    }
    return HTMLResponse(site.templates.get_template(template).render({"visit": None, **shared, **values}), status)


def see(path: str) -> Response:
    """Sends the browser on after a form, by GET: loading the page again does nothing twice."""
    return RedirectResponse(path, 303)
