"""The decisions of the loop: the one word each that runner, metrics and records share."""

from enum import StrEnum

from training.gate.rule import GateAnswer, Judgement
from training.loop.config import LoopConfig


class Decision(StrEnum):
    """What becomes of a run's candidate, or of the champion; as records and metrics spell it."""

    PROMOTE = "promote"
    SHADOW = "shadow"
    KEEP = "keep"
    REFUSE = "refuse"
    ROLLBACK = "rollback"
    FAILED = "failed"


def decide(judgement: Judgement, champion: int | None, config: LoopConfig) -> Decision:
    """What follows from a judgement: PROMOTE, SHADOW, KEEP or REFUSE."""
    if judgement.answer is GateAnswer.REFUSE:
        return Decision.REFUSE
    if judgement.answer is GateAnswer.TOO_LITTLE_EVIDENCE:
        return Decision(config.unsure) if judgement.due and champion is not None else Decision.KEEP
    return Decision.SHADOW if config.promotion == "shadow" and champion is not None else Decision.PROMOTE
