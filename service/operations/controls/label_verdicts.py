"""What labels say of payments, for a backtest: the verdict that stands of each, in whatever order labels came."""

from collections.abc import Iterable

from pydantic import ValidationError

from fraud.contracts.inbound import Label, Verdict
from fraud.contracts.label_precedence import Precedence, standing
from fraud.timestamps import to_us


def verdicts(values: Iterable[bytes | None]) -> dict[str, Verdict]:
    """Transaction -> verdict, by the contract's precedence: `supersedes`, source, latest `occurred_at`, `label_id`.

    What is no label is left out; of several messages under one label id the first counts.
    """
    labels: dict[str, Label] = {}
    for value in values:
        try:
            label = Label.model_validate_json(value or b"")
        except ValidationError:
            continue
        labels.setdefault(label.label_id, label)
    held: dict[str, list[Label]] = {}
    for label in labels.values():
        held.setdefault(label.transaction_id, []).append(label)
    return {transaction: standing_label(own).verdict for transaction, own in held.items()}


def standing_label(labels: Iterable[Label]) -> Label:
    """The one of a payment's labels that decides."""
    return standing(
        list(labels),
        lambda label: Precedence(label.label_id, label.supersedes, label.source, to_us(label.occurred_at)),
    )
