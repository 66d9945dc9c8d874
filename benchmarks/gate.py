"""A year of weekly looks at models that are no better, and one look at models that are: `make bench-gate`.

The gate itself judges (`training.gate.rule.judge`); only the models are drawn. Frauds come in episodes. Whether a model
finds a fraud within the budget depends on its skill, on how hard the episode and the payment are, which all models
share, and on luck of its own with that episode, most of which it shares with last week's model:

    found = skill + 0.45 · luck(model, episode) > hard(episode) + hard(fraud),    normal; luck is AR(0.8) by week

- *equal*: every week's candidate has the champion's true recall;
- *declining*: each week's candidate finds 0.4 points less than the one before;
- *refreshed*: equal, and the labels double within the year, so that a candidate is due;
- *power*: one look at a candidate that finds so many points more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import click
import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, norm

from benchmarks.report import Figure, report
from fraud.decisions.policy import Policy
from training.evaluation.scores import Scored
from training.gate.rule import BEST, CHAMPION, UNCHOSEN, GateAnswer, GateConfig, Holdout, Judgement, judge

Floats = npt.NDArray[np.float64]

EPISODE: Final = 0.8
PAYMENT: Final = 0.6
LUCK: Final = 0.45
KEPT_LUCK: Final = 0.8
SPREAD: Final = float(np.hypot(np.hypot(EPISODE, PAYMENT), LUCK))
MEAN_EPISODE: Final = 4
WEEKS: Final = 52
POLICY: Final = Policy.default("EUR")
CONFIG: Final = GateConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One kind of year.

    Attributes:
        weekly: episodes that become known each week.
        start: episodes known at its beginning.
        learnt: frauds that the champion learnt from.
        recall: of the champion.
        weekly_change: of each week's candidate's true recall.
    """

    weekly: float = 1.0
    start: int = 5
    learnt: int = 1_000_000
    recall: float = 0.6
    weekly_change: float = 0.0


@dataclass(frozen=True, slots=True)
class Frauds:
    """Known frauds, [n] each: number of the episode, and how hard they are to find."""

    episode: npt.NDArray[np.int64]
    hard: Floats

    @classmethod
    def draw(cls, episodes: int, first: int, random: np.random.Generator) -> Self:
        """Frauds of so many episodes, numbered from `first`."""
        sizes = random.geometric(1 / MEAN_EPISODE, episodes)
        episode = np.repeat(np.arange(first, first + episodes), sizes)
        shared = np.repeat(EPISODE * random.normal(size=episodes), sizes)
        return cls(episode, shared + PAYMENT * random.normal(size=len(episode)))

    def and_(self, more: Self) -> Self:
        """Both."""
        return type(self)(np.concatenate([self.episode, more.episode]), np.concatenate([self.hard, more.hard]))


def skill(recall: float) -> float:
    """The skill with which a model finds this share of all frauds."""
    return float(norm.ppf(np.clip(recall, 0.01, 0.99))) * SPREAD


def margins(recall: float, luck: Floats, frauds: Frauds) -> Floats:
    """By how much a model finds each fraud; below zero it does not. `luck` is by episode."""
    return skill(recall) + LUCK * luck[frauds.episode] - frauds.hard


def ruled(mine: Floats, rivals: dict[str, Floats], frauds: Frauds, learnt: tuple[int, int], seed: int) -> Judgement:
    """The gate's answer about a candidate."""
    n = len(mine)
    ids, ones = frauds.episode.astype(np.uint64), np.ones(n, np.int64)
    rows = Scored(mine, np.ones(n, np.bool_), ones, ones, ids, ids, frauds.episode)
    holdouts = [Holdout("matured", name, rows, scores) for name, scores in rivals.items()]
    holdouts.append(Holdout(UNCHOSEN, CHAMPION, rows, rivals[CHAMPION]))
    return judge(holdouts, candidate_policy=POLICY, champion_policy=POLICY, learnt=learnt, config=CONFIG, seed=seed)


@dataclass(frozen=True, slots=True)
class Year:
    """What a year led to.

    Attributes:
        promoted: whether a candidate was called better.
        due: candidates that took over because they were due.
        lost: true recall of the best champion less that of the last one.
    """

    promoted: bool
    due: int
    lost: float


def year(plan: Plan, seed: int) -> Year:
    """52 weekly candidates; whoever passes serves, and is judged by what becomes known from then on."""
    random = np.random.default_rng(seed)
    frauds = Frauds.draw(plan.start, 0, random)
    episodes = plan.start
    recall = {"champion": plan.recall, "best": plan.recall}
    luck = {"champion": np.zeros(0), "best": np.zeros(0), "candidate": np.zeros(0)}
    since, learnt, promoted, due, is_best = 0, plan.learnt, False, 0, True
    for week in range(1, WEEKS + 1):
        came = int(random.poisson(plan.weekly))
        frauds, episodes = frauds.and_(Frauds.draw(came, episodes, random)), episodes + came
        luck = {name: np.append(held, random.normal(size=episodes - len(held))) for name, held in luck.items()}
        fresh = np.sqrt(1 - KEPT_LUCK**2) * random.normal(size=episodes)
        luck["candidate"] = KEPT_LUCK * luck["candidate"] + fresh
        mine, known = plan.recall + plan.weekly_change * week, len(frauds.hard)
        judged = replace(frauds, episode=frauds.episode[since:], hard=frauds.hard[since:])
        if not len(judged.hard):
            continue
        rivals = {"champion": CHAMPION} if is_best else {"champion": CHAMPION, "best": BEST}
        theirs = {rival: margins(recall[name], luck[name], judged) for name, rival in rivals.items()}
        found = ruled(margins(mine, luck["candidate"], judged), theirs, judged, (known, learnt), seed + week)
        better = found.answer is GateAnswer.ACCEPT
        if better or found.due:
            promoted, due = promoted or better, due + found.due
            recall["champion"], luck["champion"] = mine, luck["candidate"].copy()
            is_best = found.raises
            if is_best:
                recall["best"], luck["best"] = mine, luck["candidate"].copy()
            since, learnt = known, known
    return Year(promoted, due, max(plan.recall, recall["best"]) - recall["champion"])


def passes(frauds: int, gain: float, seed: int, *, learnt: tuple[int, int]) -> tuple[bool, bool]:
    """One look at a candidate that finds `gain` more: whether it is promoted, and whether it is at least due."""
    random = np.random.default_rng(seed)
    known = Frauds.draw(frauds, 0, random)  # more episodes than are needed
    known = Frauds(known.episode[:frauds], known.hard[:frauds])
    champion, candidate = random.normal(size=(2, frauds))
    mine, theirs = margins(0.6 + gain, candidate, known), margins(0.6, champion, known)
    found = ruled(mine, {CHAMPION: theirs}, known, learnt, seed)
    return found.answer is GateAnswer.ACCEPT, found.answer is GateAnswer.ACCEPT or found.due


YEARS: Final = {
    "equal, 50 frauds a year": Plan(weekly=0.25),
    "equal, 200 frauds a year": Plan(weekly=1.0),
    "equal, 1,000 frauds a year": Plan(weekly=5.0),
    "declining, 200 frauds a year": Plan(weekly=1.0, weekly_change=-0.004),
    "declining, 1,000 frauds a year": Plan(weekly=5.0, weekly_change=-0.004),
}
REFRESHED: Final = {
    "refreshed and equal, 200 frauds a year": Plan(weekly=1.0, start=25, learnt=100),
    "refreshed and declining, 200 frauds a year": Plan(weekly=1.0, start=25, learnt=100, weekly_change=-0.004),
}
FRAUDS: Final = (20, 50, 100, 300)
GAINS: Final = (-0.1, 0.0, 0.1, 0.2, 0.3)


def false_promotions(plan: Plan, *, years: int, seed: int) -> list[Year]:
    """Many years of one kind."""
    return [year(plan, seed + 1_000 * number) for number in range(years)]


def share(name: str, hits: Sequence[bool]) -> Figure:
    """A share with its 90 % interval (Clopper and Pearson)."""
    found = binomtest(sum(hits), len(hits)).proportion_ci(0.9)
    return Figure(name, sum(hits) / len(hits), "share", float(found.low), float(found.high))


@click.command()
@click.option("--years", default=400, show_default=True, help="Simulated years of each kind.")
@click.option("--looks", default=400, show_default=True, help="Looks for each power.")
@click.option("--seed", default=1, show_default=True)
def main(*, years: int, looks: int, seed: int) -> None:
    """Count what the gate promotes by mistake, and what it finds."""
    figures, wrong = [], []
    for name, plan in YEARS.items():
        figures.append(
            share(
                f"{name}: years with a promotion", [y.promoted for y in false_promotions(plan, years=years, seed=seed)]
            )
        )
        wrong.append(figures[-1].low or 0.0)
    for name, plan in REFRESHED.items():
        found = false_promotions(plan, years=years, seed=seed)
        figures.append(share(f"{name}: years with a promotion", [y.promoted for y in found]))
        figures.append(Figure(f"{name}: take-overs a year", float(np.mean([y.due for y in found])), "count"))
        figures.append(Figure(f"{name}: recall lost", float(np.mean([y.lost for y in found])), "share"))
    for count in FRAUDS:
        for gain in GAINS:
            seen = [passes(count, gain, seed + number, learnt=(count, count // 2)) for number in range(looks)]
            figures.append(share(f"{count} frauds, {gain:+.1f}: promoted", [direct for direct, _ in seen]))
            figures.append(share(f"{count} frauds, {gain:+.1f}: promoted or due", [either for _, either in seen]))
    report("gate", figures, title="the gate: a year of weekly looks, and its power")
    raise SystemExit(1 if max(wrong) > 0.05 else 0)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.gate")
