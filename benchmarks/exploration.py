"""Twelve periods of a model that blocks and learns from what is left: `make bench-exploration`.

A blocked payment reports nothing. Each period a model is trained on what its own past left to be known, flags the
riskiest payments of the next month, blocks the upper part of them and sends the rest to review. Then its precision is
estimated from its own labels, and compared with the truth, in three ways, each on a stream of its own:

- naive: silence is genuine, a blocked payment's too;
- dropped: what cannot be observed is left out;
- weighted: a share ε of would-be blocks is let through, and each observed payment stands for 1 / propensity of them.

Features, ledger, exploration and trees are the project's own. Reports are complete and analysts do not err, so that
what is left is the bias of the selection.
"""

from training.process import prepare_libraries

prepare_libraries()

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.report import Figure, report
from fraud.decisions.exploration import Exploration, Spent
from fraud.decisions.policy import ACTIONS
from fraud.features.risk_tables import RiskTables
from simulator.config import LabelConfig, SimulationConfig
from simulator.simulation import simulate
from training.data.dataset import Dataset
from training.data.feature_context import FeatureContext
from training.data.files.events import from_table, labels_frame
from training.data.replayed_stream import from_stream, to_stream
from training.evaluation.propensity import Estimate, weighted_precision
from training.labels.ledger import DAY_US, Ledger, Records, State
from training.modelling.inputs import kinds_of
from training.modelling.trees.boosting import BoostOptions, booster_logits, fit_booster

Way: TypeAlias = Literal["naive", "dropped", "weighted"]
WAYS: Final[tuple[Way, ...]] = ("naive", "dropped", "weighted")
ALLOW, REVIEW, BLOCK = (ACTIONS.index(name) for name in ("allow", "review", "block"))
TREES: Final = BoostOptions(trees=60, leaves=15)
COMPLETE: Final = LabelConfig(queue_share=0.0, unreported=0.0, first_party=0.0, service_disputes=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much.

    Attributes:
        transactions: of one stream.
        periods: periods that block.
        period_days: length of each.
        warm_days: days before the first, in which nothing is blocked.
        flag_share: share of payments that is flagged; half of them is blocked, half reviewed.
        epsilon: share of would-be blocks let through, where the way is "weighted".
        maturity_days: age at which silence counts as genuine.
        genuine_rows: most genuine rows to train on.
    """

    transactions: int = 120_000
    periods: int = 12
    period_days: int = 30
    warm_days: int = 150
    flag_share: float = 0.03
    epsilon: float = 0.01
    maturity_days: float = 90.0
    genuine_rows: int = 20_000

    @property
    def days(self) -> int:
        """Of the whole."""
        return self.warm_days + self.periods * self.period_days


@dataclass(frozen=True, slots=True)
class Payments:
    """One stream: what can be paid, in time order, arrays [n], and the reports that would come if nothing was blocked.

    What the issuer declines is left out: nobody reports on it, whatever the shop does.
    """

    data: Dataset
    fraud: npt.NDArray[np.bool_]
    reports: pd.DataFrame
    seed: int


def payments_of(plan: Plan, seed: int) -> Payments:
    """Simulates a platform and encodes it as the service does."""
    config = SimulationConfig(
        transactions=plan.transactions, days=plan.days, seed=seed, base_rate=0.012, labels=COMPLETE
    )
    made = simulate(config)
    context = FeatureContext()
    stream = to_stream(from_table(made.events, context), labels_frame(made.labels))
    records = stream.ledger.records
    declined = records.outcomes.loc[records.outcomes["kind"] == "declined", "transaction"].to_numpy()
    data = from_stream(stream, context, risk=RiskTables())
    data = data.take(~np.isin(data.transaction, declined) & (data.amount > 0))
    truth = made.truth.to_pandas().set_index("transaction_id")["is_fraud"]
    fraud = truth.loc[data.transaction_ids.astype(str)].to_numpy(bool)
    return Payments(data, fraud, records.labels, seed)


@dataclass(frozen=True, slots=True)
class Period:
    """Precision of what was flagged up to a period's end: as estimated from labels, and in truth."""

    period: int
    estimate: Estimate
    truth: float


class Shop:
    """One stream under one way of dealing with what cannot be observed."""

    def __init__(self, payments: Payments, plan: Plan, way: Way) -> None:
        self.payments, self.plan, self.way = payments, plan, way
        count = len(payments.data)
        self.action = np.full(count, ALLOW, np.uint8)
        self.model_action = self.action.copy()
        self.propensity = np.ones(count)
        share = plan.epsilon if way == "weighted" else 0.0
        self.exploration = Exploration(f"world {payments.seed}".encode(), share, daily_budget=1e9)
        start = int(payments.data.time[0])
        self.ends = [start + (plan.warm_days + i * plan.period_days) * DAY_US for i in range(plan.periods + 1)]

    def run(self) -> Iterator[Period]:
        """Period after period; each is judged when its reports have come."""
        for period, (since, until) in enumerate(zip(self.ends[:-1], self.ends[1:], strict=True), start=1):
            self.flag(self.learn(since), since, until)
            yield self.judged(period, until)

    def ledger(self) -> Ledger:
        """What has happened and what was reported, as the loop's ledger holds it."""
        data, ids = self.payments.data, self.payments.data.transaction
        actions = np.array(ACTIONS)[self.action]
        decisions = pd.DataFrame(
            {"transaction": ids, "time": data.time, "action": actions, "propensity": self.propensity}
        )
        transactions = pd.DataFrame({"transaction": ids, "time": data.time, "amount": data.amount})
        reports = self.payments.reports
        blocked = reports["transaction"].isin(ids[self.action == BLOCK])
        labels = pd.concat([reports[~blocked], self.reviews()], ignore_index=True)
        records = Records.of(transactions, decisions=decisions, labels=labels)
        return Ledger(records, self.plan.maturity_days)

    def reviews(self) -> pd.DataFrame:
        """Verdicts on what went to review, two days later."""
        rows = np.flatnonzero(self.action == REVIEW)
        data = self.payments.data.take(rows)
        verdict = np.where(self.payments.fraud[rows], "unauthorised", "genuine")
        at = data.time + 2 * DAY_US
        made = {"label_id": [f"review-{i}" for i in rows], "transaction": data.transaction, "verdict": verdict,
                "source": "analyst", "occurred_at": at, "received_at": at, "supersedes": ""}  # fmt: skip
        return pd.DataFrame(made)[self.payments.reports.columns]

    def learn(self, now: int) -> Callable[[Dataset], npt.NDArray[np.float32]]:
        """Trees on what is known at a time, µs."""
        known = self.ledger().as_of(now)
        data = self.payments.data.between(None, now)
        rows = known.of(data.transaction)
        label = rows["label"].to_numpy(np.int8).copy()
        if self.way == "naive":
            hidden = (rows["state"] == State.UNOBSERVED).to_numpy(bool)
            label[hidden & (data.time <= now - self.plan.maturity_days * DAY_US)] = 0
        random = np.random.default_rng(self.payments.seed)
        genuine = np.flatnonzero(label == 0)
        some = random.choice(genuine, min(len(genuine), self.plan.genuine_rows), replace=False)
        chosen = np.sort(np.concatenate([np.flatnonzero(label == 1), some]))
        kinds = kinds_of(data.names)
        trees = fit_booster(data.features[chosen], label[chosen], kinds, seed=self.payments.seed, options=TREES)
        return lambda part: booster_logits(trees, part.features, kinds)

    def flag(self, model: Callable[[Dataset], npt.NDArray[np.float32]], since: int, until: int) -> None:
        """Decides on the payments of a period."""
        data = self.payments.data
        rows = np.flatnonzero((data.time >= since) & (data.time < until))
        part = data.take(rows)
        order = rows[np.argsort(-model(part), kind="stable")]
        flagged = round(self.plan.flag_share * len(rows))
        self.model_action[order[:flagged]] = REVIEW
        self.model_action[order[: flagged // 2]] = BLOCK
        explored = self.exploration.apply(
            self.model_action[rows],
            transaction_ids=part.transaction_ids.tolist(),
            amount_micro=part.amount,
            time_us=part.time,
            spent=Spent(),
        )
        self.action[rows], self.propensity[rows] = explored.action, explored.propensity

    def judged(self, period: int, until: int) -> Period:
        """Precision of everything flagged so far, from the labels that are there half a year later."""
        data = self.payments.data
        flagged = np.flatnonzero((self.model_action != ALLOW) & (data.time < until))
        known = self.ledger().as_of(int(data.time[-1]) + 180 * DAY_US).of(data.transaction[flagged])
        fraud = (known["label"] == 1).to_numpy(bool)
        seen = np.ones(len(fraud), np.bool_) if self.way == "naive" else (known["label"] >= 0).to_numpy(bool)
        weighted = self.propensity[flagged] if self.way == "weighted" else np.ones(len(flagged))
        estimate = weighted_precision(fraud[seen], weighted[seen])
        return Period(period, estimate, float(self.payments.fraud[flagged].mean()))


def figures(ends: Sequence[dict[Way, list[Period]]]) -> list[Figure]:
    """Over the seeds: error of each way, and how often the last period's interval covers the truth."""
    made = []
    for way in WAYS:
        last = [ways[way][-1] for ways in ends]
        error = [abs(c.estimate.value - c.truth) for c in last]
        covers = [c.estimate.low <= c.truth <= c.estimate.high for c in last]
        made += [
            Figure.of(f"{way}_error", error, "share"),
            Figure(f"{way}_covered", float(np.mean(covers)), "share of seeds"),
            Figure.of(f"{way}_true_precision", [c.truth for c in last], "share"),
        ]
    effective = [ways["weighted"][-1].estimate.effective for ways in ends]
    return [*made, Figure.of("weighted_effective", effective, "payments"), Figure("seeds", len(ends), "count")]


def table_of(ways: dict[Way, list[Period]], seed: int) -> Table:
    """Estimated and true precision per period of one seed."""
    table = Table("period", *WAYS, title=f"estimated / true precision of all flagged so far, seed {seed}")
    for row in zip(*(ways[way] for way in WAYS), strict=True):
        cells = [f"{c.estimate.value:.2f} / {c.truth:.2f}" for c in row]
        cells[-1] += f"  ({row[-1].estimate.low:.2f} to {row[-1].estimate.high:.2f})"
        table.add_row(str(row[0].period), *cells)
    return table


@click.command()
@click.option("--seeds", default=6, show_default=True)
@click.option("--transactions", default=Plan().transactions, show_default=True)
def main(*, seeds: int, transactions: int) -> None:
    """Run every way through twelve periods, for several seeds."""
    plan, console = Plan(transactions=transactions), Console(width=120)
    ends = []
    for seed in range(1, seeds + 1):
        payments = payments_of(plan, seed)
        ways = {way: list(Shop(payments, plan, way).run()) for way in WAYS}
        console.print(table_of(ways, seed))
        ends.append(ways)
    report("bench-exploration", figures(ends), title="what a blocking model's own labels say of its precision")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.exploration")
