"""Controls on this platform: what rules may read, an empty rulebook, and whether a control can act here."""

from fraud.contracts.controls import Control
from fraud.controls.language.vocabulary import Vocabulary
from fraud.controls.names import vocabulary_of
from fraud.controls.rulebook import Rulebook
from fraud.controls.state import Refused
from runtime.errors import Misconfigured
from service.settings import Settings


def vocabulary(settings: Settings) -> Vocabulary:
    """What rules may read on this platform."""
    return vocabulary_of(settings.platform, settings.declared.rates)


def rulebook(settings: Settings) -> Rulebook:
    """An empty rulebook for this platform."""
    return Rulebook(vocabulary(settings), lots=settings.secret is not None)


def check_control(settings: Settings, control: Control) -> None:
    """Whether a control can act here, before it is written.

    Raises:
        Misconfigured: it cannot; one line with its name and what is wrong.
    """
    book = rulebook(settings)
    taken = book.propose(control)
    why = taken.detail if isinstance(taken, Refused) else book.broken.get(control.control_id)
    if why is not None:
        raise Misconfigured(f"{control.name}: {why}")
