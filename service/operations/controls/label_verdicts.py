"""What labels say of payments, for a backtest: the verdict that stands of each, in whatever order labels came."""

from collections.abc import Iterable
from typing import Final, get_args

from pydantic import ValidationError

from fraud.contracts.inbound import Label, LabelSource, Verdict

_RANK: Final = {source: rank for rank, source in enumerate(get_args(LabelSource))}


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
    return {transaction: standing(own).verdict for transaction, own in held.items()}


def standing(labels: list[Label]) -> Label:
    """The one of a payment's labels that decides."""
    superseded = {label.supersedes for label in labels if label.supersedes != label.label_id}
    left = [label for label in labels if label.label_id not in superseded] or labels  # a ring supersedes nothing
    return min(left, key=lambda label: (_RANK[label.source], -label.occurred_at.timestamp(), label.label_id))
