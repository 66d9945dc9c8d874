"""Figures on decisions that were made: matured quality, and the business around it."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fraud.decisions.policy import ACTIONS, Policy
from fraud.decoding.batch import Kind
from fraud.money import MICRO
from training.evaluation.propensity import weighted_precision
from training.labels.ledger import DAY_US
from training.loop.ledger_view import LedgerView

MONTH_US = 30 * DAY_US


def joined(view: LedgerView) -> pd.DataFrame:
    """Decisions with the amount (base currency) and the label that is known of each payment."""
    batch = view.stream.events.batch
    payment = batch.kind == Kind.TRANSACTION
    amounts = pd.Series(batch.amount[payment] / MICRO, index=batch.transaction[payment])
    amounts = amounts[~amounts.index.duplicated()]
    decisions = view.decisions
    label = view.known.of(decisions["transaction"].to_numpy(np.uint64))["label"].to_numpy()
    return decisions.assign(amount=decisions["transaction"].map(amounts).fillna(0.0), label=label)


def quality(decided: pd.DataFrame) -> dict[str, float]:
    """Precision and recall of the alerts among decisions whose label is known; absent where undefined.

    A would-be block that exploration let through stands for 1 / propensity of them (`training.evaluation.propensity`).
    `effective` is the number of equally weighted payments that would say as much as those behind the precision.
    """
    flagged = (decided["model_action"] != "allow").to_numpy(bool)
    label = decided["label"].to_numpy()
    # An action may differ from the model's by a rule as well: only a lot leaves a propensity below 1.
    let_through = (decided["model_action"] == "block") & (decided["action"] == "allow") & (decided["propensity"] < 1)
    explored = let_through.to_numpy(bool)
    propensity = np.where(explored, decided["propensity"].to_numpy(np.float64), 1.0)
    figures: dict[str, float] = {}
    known = flagged & (label >= 0)
    if explored.any():
        # Verdicts on what stayed blocked were chosen by somebody; those drawn by lot speak for all blocks.
        known &= explored | (decided["action"] != "block").to_numpy(bool)
    if known.any():
        estimate = weighted_precision(label[known] == 1, propensity[known])
        figures |= {"precision": estimate.value, "effective": estimate.effective}
    fraud = label == 1
    if fraud.any():
        figures["recall"] = float(np.average(flagged[fraud], weights=1 / propensity[fraud]))
    return figures


def by_version(decided: pd.DataFrame) -> dict[int, dict[str, float]]:
    """`quality` of each version's decisions."""
    return {int(str(version)): quality(part) for version, part in decided.groupby("version")}


def business(view: LedgerView, decided: pd.DataFrame, policy: Policy | None) -> dict[str, float]:
    """Figures of the last 30 days for `LoopMetrics.set_business`; what cannot be said is left out."""
    settled, approval = _settled(view)
    figures = {} if approval is None else {"approval_ratio": approval}
    if settled > 0:
        figures |= _reported(view, settled)
    recent = decided[decided["time"] > view.now - MONTH_US]
    if len(recent):
        figures |= {f"{name}_ratio": float((recent["action"] == name).mean()) for name in ("challenge", "review")}
    fraud = decided[decided["label"] == 1]
    if fraud["amount"].sum() > 0:
        flagged = fraud["model_action"] != "allow"
        figures["value_recall"] = float(fraud.loc[flagged, "amount"].sum() / fraud["amount"].sum())
    return figures | (_by_policy(recent, decided, policy) if policy and len(recent) else {})


def _settled(view: LedgerView) -> tuple[float, float | None]:
    """Money of payments that went through in the last 30 days, and the share that did."""
    batch = view.stream.events.batch
    recent = batch.time > view.now - MONTH_US
    paid = recent & (batch.kind == Kind.TRANSACTION)
    through = batch.transaction[recent & np.isin(batch.kind, [Kind.AUTHORISED, Kind.CAPTURED])]
    if not paid.any() or not len(through):
        return 0.0, None
    settled: npt.NDArray[np.bool_] = np.isin(batch.transaction[paid], through)
    return float(batch.amount[paid][settled].sum() / MICRO), float(settled.mean())


def _reported(view: LedgerView, settled: float) -> dict[str, float]:
    """What was reported within 30 days of payments that went through: stopped fraud costs nothing.

    Chargebacks are counted, against the number of payments, as card schemes count them.
    """
    batch = view.stream.events.batch
    labels = view.labels[view.labels["received_at"] > view.now - MONTH_US]
    through = batch.transaction[np.isin(batch.kind, [Kind.AUTHORISED, Kind.CAPTURED])]
    paid = (batch.kind == Kind.TRANSACTION) & np.isin(batch.transaction, through)
    lost = paid & np.isin(batch.transaction, labels.loc[labels["verdict"] == "unauthorised", "transaction"])
    charged = paid & np.isin(batch.transaction, labels.loc[labels["source"] == "chargeback", "transaction"])
    recent = paid & (batch.time > view.now - MONTH_US)
    return {
        "fraud_loss_bps": float(batch.amount[lost].sum() / MICRO / settled * 10_000),
        "chargebacks": float(charged.sum()),
        "chargeback_bps": float(charged.sum() / recent.sum() * 10_000),
    }


def _by_policy(recent: pd.DataFrame, decided: pd.DataFrame, policy: Policy) -> dict[str, float]:
    costs = policy.costs
    turned_away = {"allow": 0.0, "challenge": costs.challenge_abandon, "review": costs.review_wrong, "block": 1.0}
    good = 1 - recent["score"]
    figures = {"insult_ratio": float((good * recent["action"].map(turned_away)).sum() / good.sum())}
    if policy.review_capacity is not None:
        days = max((recent["time"].max() - recent["time"].min()) / DAY_US, 1.0)
        figures["review_capacity_used_ratio"] = float(
            (recent["action"] == "review").sum() / days / policy.review_capacity.per_day
        )
    known = decided[decided["label"] >= 0]
    genuine, fraud = costs.lines(known["amount"].to_numpy(np.float64))
    cost = np.where((known["label"] == 1).to_numpy()[:, None], fraud, genuine)
    action = known["action"].map({name: place for place, name in enumerate(ACTIONS)}).to_numpy(np.intp)
    figures["net_money_total"] = float((cost[:, 0] - cost[np.arange(len(known)), action]).sum())
    return figures
