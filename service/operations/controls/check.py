"""Whether controls can act on this platform, before any is written."""

from collections.abc import Iterable

from fraud.contracts.controls import Control
from fraud.controls.state import Refused
from runtime.errors import Misconfigured
from service.bootstrap import rulebook
from service.settings import Settings


def check_controls(settings: Settings, controls: Iterable[Control]) -> None:
    """Takes them into an empty rulebook.

    Raises:
        Misconfigured: one cannot act; one line with its name and what is wrong.
    """
    book = rulebook(settings)
    for control in controls:
        taken = book.propose(control)
        why = taken.detail if isinstance(taken, Refused) else book.broken.get(control.control_id)
        if why is not None:
            raise Misconfigured(f"{control.name}: {why}")
