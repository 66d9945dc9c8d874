"""Whether a control can act on this platform, before it is written."""

from fraud.contracts.controls import Control
from fraud.controls.state import Refused
from runtime.errors import Misconfigured
from service.bootstrap import rulebook
from service.settings import Settings


def check_control(settings: Settings, control: Control) -> None:
    """Takes it into an empty rulebook.

    Raises:
        Misconfigured: it cannot act; one line with its name and what is wrong.
    """
    book = rulebook(settings)
    taken = book.propose(control)
    why = taken.detail if isinstance(taken, Refused) else book.broken.get(control.control_id)
    if why is not None:
        raise Misconfigured(f"{control.name}: {why}")
