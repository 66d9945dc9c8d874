"""The controls log as lines for people: the audit."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from fraud.contracts.controls import Control
from fraud.controls.state import ControlsState, Refused
from fraud.timestamps import to_datetime
from runtime.kafka.controls_log import ControlRecord


def lines(records: Iterable[ControlRecord], control_id: str | None) -> Iterator[str]:
    """Each record with its offset, the broker's time, what it says, and why it does not count if it does not.

    Args:
        records: of the whole log, in order.
        control_id: only this one's; what is no control belongs to none.
    """
    state = ControlsState()
    for record in records:
        taken = state.apply(record.value, record.offset)
        control = _control(record.value)
        if control_id is not None and (control is None or control.control_id != control_id):
            continue
        said = "no control" if control is None else _said(control)
        refused = f"; does not count, {taken.reason}: {taken.detail}" if isinstance(taken, Refused) else ""
        yield f"{record.offset:6} {to_datetime(record.timestamp_us).isoformat()} {said}{refused}"


def _control(value: bytes) -> Control | None:
    try:
        return Control.model_validate_json(value)
    except ValidationError:
        return None


def _said(control: Control) -> str:
    approved = f", approved by {control.approver}" if control.approver else ""
    return f"{control.name} {control.kind} {control.status} by {control.author}{approved}: {control.reason}"
