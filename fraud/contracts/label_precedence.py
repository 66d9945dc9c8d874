"""Which of a payment's labels decides: `supersedes`, then source, latest `occurred_at`, `label_id`."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar, get_args

from fraud.contracts.inbound import LabelSource

T = TypeVar("T")

_RANK: Final = {source: rank for rank, source in enumerate(get_args(LabelSource))}


class Precedence(NamedTuple):
    """What of a label is looked at; `occurred_us` in µs since 1970 UTC."""

    label_id: str
    supersedes: str | None
    source: LabelSource
    occurred_us: int


def standing(labels: Sequence[T], of: Callable[[T], Precedence]) -> T:
    """The one of a payment's labels that decides.

    Args:
        labels: n ≥ 1, in whatever order and form they are kept.
        of: what counts of one.
    """
    held = [(of(label), label) for label in labels]
    superseded = {each.supersedes for each, _ in held if each.supersedes != each.label_id}
    left = [pair for pair in held if pair[0].label_id not in superseded] or held  # a ring supersedes nothing
    return min(left, key=lambda pair: (_RANK[pair[0].source], -pair[0].occurred_us, pair[0].label_id))[1]
