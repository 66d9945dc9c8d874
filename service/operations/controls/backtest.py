"""What drafts of controls would have done to past payments, beside the model and the controls that act already."""

from collections.abc import Iterable, Mapping, Sequence

from fraud.contracts.controls import Control
from fraud.contracts.inbound import Verdict
from fraud.controls.backtest import Backtest, Judged, Tallying, propose_all
from fraud.money import MICRO
from runtime.errors import Misconfigured
from service.batch import PartitionBatch
from service.pipeline import Pipeline
from service.ports import Models, Records
from service.scored_batch import ScoredBatch


def backtest(
    shares: Iterable[Records],
    pipelines: tuple[Pipeline, Pipeline],
    drafts: Sequence[Control],
    models: Models,
    verdict_of: Mapping[str, Verdict],
) -> Backtest:
    """Runs the records through two pipelines, with and without the drafts: each has histories and budgets of its own.

    Args:
        shares: the records, in log order.
        pipelines: without and with the drafts, both at the beginning of the log and under the same controls otherwise.
        drafts: they take part as if they were live and approved.
        models: who score.
        verdict_of: transaction id -> verdict; empty where there are no labels.

    Raises:
        Misconfigured: a draft cannot act on this platform.
    """
    before, after = pipelines
    try:
        propose_all(after.rulebook, drafts)
    except ValueError as error:
        raise Misconfigured(str(error)) from None
    tallying = Tallying(drafts, verdict_of)
    for share in shares:
        was, would = before.process([share], models, 0), after.process([share], models, 0)
        for part, old, new in zip(would.parts, was.scored, would.scored, strict=True):
            tallying.add(_judged(part, old, new))
    return tallying.found


def _judged(part: PartitionBatch, old: ScoredBatch, new: ScoredBatch) -> Judged:
    return Judged(
        transaction_ids=part.transaction_ids,
        customer_ids=part.customer_ids,
        event_times=part.event_times,
        amount=part.batch.amount / MICRO,
        score=new.score,
        model_action=new.model_action,
        before=old.action,
        after=new.action,
        fired={} if new.ruled is None else new.ruled.fired,
        uncomputed={} if new.ruled is None else new.ruled.uncomputed,
    )
