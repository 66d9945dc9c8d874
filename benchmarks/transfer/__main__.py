"""`make bench-transfer`: average precision and recall of every method, by pair, budget (or days) and seed.

Resumable: scores are kept under build/transfer/results; a second run computes what is missing. One world takes minutes
to make and each cell one or two more, so choose pairs and budgets: `--pair positive --budget 500 --seed 101`.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence

import click
import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from benchmarks.report import Figure, report
from benchmarks.transfer.cells import Plan, folder_of, run_cell
from benchmarks.transfer.methods import METHODS, RIVALS
from benchmarks.transfer.pairs import PAIRS, NoData, Pair, open_pair
from training.datasets import InvalidDataset
from training.scores import ENOUGH_FRAUDS

BOOTSTRAPS = 200
OURS = ("auto", "joint_distilled")


@click.command()
@click.option("--pair", "pairs", type=click.Choice(PAIRS), multiple=True, default=PAIRS[:5], show_default=True)
@click.option("--budget", "budgets", multiple=True, default=("100", "500", "2000"), show_default=True,
              help="Labels, or all, or days since launch as 60d.")  # fmt: skip
@click.option("--seed", "seeds", type=int, multiple=True, default=(101, 102, 103, 104, 105), show_default=True)
@click.option("--method", "methods", multiple=True, default=("auto", *METHODS), show_default=False)
@click.option("--transactions", default=300_000, show_default=True, help="Of each simulated platform.")
@click.option("--teachers", default=3, show_default=True)
@click.option("--max-source-rows", default=400_000, show_default=True)
@click.option("--control", type=click.Choice(["", "shuffled", "flipped", "half"]), default="", show_default=True)
def main(
    *,
    pairs: Sequence[str],
    budgets: Sequence[str],
    seeds: Sequence[int],
    methods: Sequence[str],
    transactions: int,
    teachers: int,
    max_source_rows: int,
    control: str,
) -> None:
    """Run what is missing, print and write every figure."""
    collected: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    by_day = any(budget.endswith("d") for budget in budgets)
    for name in pairs:
        for seed in seeds:
            try:
                pair = open_pair(name, seed, transactions, by_day=by_day)
            except NoData as error:
                click.echo(f"skipped {error}", err=True)
                continue
            folder = folder_of(name + (".days" if by_day else ""), seed, control)
            plan = Plan(folder, teachers, max_source_rows, control)
            for budget in budgets:
                cell = _cell(pair, plan, budget, seed=seed, methods=methods)
                if cell is not None:
                    collected[f"{name}{'.' + control if control else ''}", budget].append(cell)
    figures = [figure for key, cells in collected.items() for figure in figures_of(key, cells)]
    report("transfer", figures, title="Average precision and recall at 1 % review, on each target's future")


class Cell:
    """Scores of all methods on one test."""

    def __init__(self, pair: Pair, scores: dict[str, npt.NDArray[np.float32]]) -> None:
        self.truth = pair.truth
        self.customer = np.unique(pair.test.customer, return_inverse=True)[1]
        self.bayes = pair.bayes
        self.scores = scores

    def precision(self, method: str, weight: npt.NDArray[np.float64] | None = None) -> float:
        """Average precision, with customers weighted when given."""
        rows = None if weight is None else weight[self.customer]
        return float(average_precision_score(self.truth, self.scores[method], sample_weight=rows))

    def recall(self, method: str) -> float:
        """Share of the frauds among the riskiest hundredth."""
        top = np.argsort(-self.scores[method], kind="stable")[: max(round(0.01 * len(self.truth)), 1)]
        return float(self.truth[top].sum() / self.truth.sum())


def _cell(pair: Pair, plan: Plan, budget: str, *, seed: int, methods: Sequence[str]) -> Cell | None:
    try:
        cell = Cell(pair, dict(run_cell(pair, plan, budget, seed, methods)))
    except InvalidDataset as error:
        click.echo(f"skipped {pair.name} {budget} {seed}: {error}", err=True)
        return None
    told = ", ".join(f"{name} {cell.precision(name):.3f}" for name in cell.scores)
    click.echo(f"{pair.name} {budget} seed {seed}: {told}", err=True)
    return cell


def figures_of(key: tuple[str, str], cells: Sequence[Cell]) -> list[Figure]:
    """All figures of one pair and budget; seeds are medians with quartiles, gains have a 95 % interval."""
    pair, budget = key
    stem = f"{pair}.{budget}"
    frauds = sum(int(cell.truth.sum()) for cell in cells)
    figures = [Figure(f"{stem}.test_frauds" + ("" if frauds >= ENOUGH_FRAUDS else " (underpowered)"), frauds, "")]
    if cells[0].bayes is not None:
        figures.append(Figure.of(f"{stem}.bayes.ap", [cell.bayes or 0.0 for cell in cells], ""))
    for method in cells[0].scores:
        figures.append(Figure.of(f"{stem}.{method}.ap", [cell.precision(method) for cell in cells], ""))
        figures.append(Figure.of(f"{stem}.{method}.recall_at_1pct", [cell.recall(method) for cell in cells], ""))
    rivals = [name for name in RIVALS if name in cells[0].scores]
    own = [name for name in OURS if name in cells[0].scores and rivals]
    return figures + [gain(f"{stem}.{name}.gain_over_best_lightgbm", cells, name, rivals) for name in own]


def gain(name: str, cells: Sequence[Cell], ours: str, rivals: Sequence[str]) -> Figure:
    """Relative gain in mean average precision over the rival that is best on these very tests, hence no easy one.

    The interval is a paired bootstrap of each test's customers; which rival is best stays fixed.
    """
    best = max(rivals, key=lambda rival: np.mean([cell.precision(rival) for cell in cells]))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(BOOTSTRAPS):
        means = np.zeros(2)
        for cell in cells:
            count = int(cell.customer.max()) + 1
            weight = rng.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
            means += [cell.precision(ours, weight), cell.precision(best, weight)]
        drawn.append(means[0] / means[1] - 1)
    value = np.mean([c.precision(ours) for c in cells]) / np.mean([c.precision(best) for c in cells]) - 1
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(f"{name} ({best})", float(value), "", float(low), float(high))


if __name__ == "__main__":
    sys.exit(main())
