"""What a dispute notice comes to: a label, or something that is kept although nothing is learned from it."""

from dataclasses import dataclass


class Forged(Exception):  # noqa: N818 - named for what it is
    """A notice whose signature no secret of ours makes, or which is older than the tolerance."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    Attributes:
        shop: whose secret has signed it.
        id: of the event, unique at its processor.
        kind: the processor's word for what happened.
        signature: what must not come twice; None where repetitions are harmless and expected.
        label: fields of a label; None: it gives none.
        why: why it gives none.
    """

    shop: str
    id: str
    kind: str
    signature: str | None
    label: dict[str, object] | None = None
    why: str = ""
