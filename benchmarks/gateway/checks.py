"""Whether answers and topics agree."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from benchmarks.gateway.stack import answer_of
from local.http_load import Sent
from local.testbed.gateway_run import GatewayRun


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts over a run.

    Attributes:
        answered: payments that the gateway accepted.
        decided: those answered by a decision.
        mismatches: answers that are not the decision in the topic.
        lost: accepted payments without a decision in the topic.
        doubled: payments with two decisions.
        repeated: records of the input that repeat one: the scorer knows them as repetitions.
    """

    answered: int
    decided: int
    mismatches: int
    lost: int
    doubled: int
    repeated: int


def agreement(run: GatewayRun, sent: Iterable[Sent], ids: Iterable[str]) -> Agreement:
    """Compares what was answered with what the topics hold, once everything is scored."""
    decisions = run.decisions()
    answers = {of: answer_of(one) for of, one in zip(ids, sent, strict=True) if one.status == 200}
    decided = {of: answer for of, answer in answers.items() if not answer["fallback"]}
    same = ("action", "score", "model_version", "policy_version", "scored_at", "alert_id")
    mismatches = sum(
        any(answer.get(name) != decisions[of][0].get(name) for name in same) if of in decisions else True
        for of, answer in decided.items()
    )
    return Agreement(
        answered=len(answers),
        decided=len(decided),
        mismatches=mismatches,
        lost=sum(of not in decisions for of in answers),
        doubled=sum(len(found) > 1 for found in decisions.values()),
        repeated=sum(count - 1 for count in run.sent().values()),
    )


def ids_of(bodies: Iterable[bytes]) -> list[str]:
    """The transaction ids of payments."""
    return [msgspec.json.decode(body)["transaction_id"] for body in bodies]
