"""The results of a cell (pair, budget, seed): figures and bootstrap draws, no scores.

One table a pair under `benchmarks/transfer/results`, a line a cell and method, kept in the repository so that a later
run continues; each line names the commit of the code that it came from.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.transfer.methods import UNADAPTED
from training.data.sample import MIN_FRAUDS
from training.evaluation.bootstrap import Ranking

FOLDER: Final = Path("benchmarks/transfer/results")
DRAWS: Final = 100
SCALE: Final = 1e4
"""Draws are kept as whole numbers of this precision."""


class Measured(msgspec.Struct, frozen=True):
    """One method's figures on the cell's test.

    Attributes:
        ap: average precision.
        recall_at_1pct: share of the frauds among the riskiest hundredth.
        seconds: processor time of learning and scoring.
        code: commit.
        draws: average precision · `SCALE` under each of `DRAWS` draws of the test's customers; the same
            for all methods that have any.
    """

    ap: float
    recall_at_1pct: float
    seconds: float
    code: str
    draws: tuple[int, ...] = ()


class Cell(msgspec.Struct):
    """One cell.

    Attributes:
        pair, budget, seed, control: which; budget is a number of labels, "all", or days as "60d".
        labels, frauds: that the methods learnt from.
        test_rows, test_frauds: that they are judged on.
        bayes: average precision of the true probability on the test, where somebody knows it.
        why: what `auto` chose and why; or why nothing could be measured.
        methods: name -> figures.
    """

    pair: str
    budget: str
    seed: int
    control: str = ""
    labels: int = 0
    frauds: int = 0
    test_rows: int = 0
    test_frauds: int = 0
    bayes: float | None = None
    why: str = ""
    methods: dict[str, Measured] = {}

    @property
    def path(self) -> Path:
        """Its pair's table."""
        return FOLDER / ("-".join(filter(None, (self.pair, self.control))) + ".csv")

    def save(self) -> None:
        """Replaces the cell's lines in its pair's table."""
        cells = {(cell.budget, cell.seed): cell for cell in _read(self.path)} | {(self.budget, self.seed): self}
        lines = [line for _, cell in sorted(cells.items()) for line in _lines(cell)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        pd.DataFrame(lines).to_csv(temporary, index=False, lineterminator="\n")
        temporary.replace(self.path)

    def possible(self, methods: Sequence[str]) -> list[str]:
        """Those of the methods that can learn from the cell's labels, as far as they have been looked at."""
        few = self.test_rows > 0 and self.frauds < MIN_FRAUDS
        return [name for name in methods if not few or name in UNADAPTED]

    def known(self) -> "Cell":
        """The cell as it was saved, or this empty one."""
        return next((c for c in _read(self.path) if (c.budget, c.seed) == (self.budget, self.seed)), self)


def load_all(folder: Path = FOLDER) -> list[Cell]:
    """Every saved cell."""
    return [cell for path in sorted(folder.glob("*.csv")) for cell in _read(path)]


def _lines(cell: Cell) -> list[dict[str, object]]:
    shared = {name: getattr(cell, name) for name in cell.__struct_fields__ if name != "methods"}
    return [
        shared | {"method": name} | msgspec.structs.asdict(figures) | {"draws": " ".join(map(str, figures.draws))}
        for name, figures in cell.methods.items()
    ]


def _read(path: Path) -> list[Cell]:
    if not path.is_file():
        return []
    table = pd.read_csv(path, keep_default_na=False, dtype={"budget": str, "code": str, "draws": str})
    cells: dict[tuple[str, int], Cell] = {}
    for record in table.to_dict("records"):
        line = {str(name): value for name, value in record.items()}
        figures = {name: line.pop(name) for name in Measured.__struct_fields__}
        figures["draws"] = tuple(map(int, figures["draws"].split()))
        method = line.pop("method")
        line["bayes"] = None if line["bayes"] == "" else float(line["bayes"])
        cell = cells.setdefault((line["budget"], line["seed"]), Cell(**line))
        cell.methods[method] = Measured(**figures)
    return list(cells.values())


def measure(
    score: npt.NDArray[np.float32],
    truth: npt.NDArray[np.bool_],
    customer: npt.NDArray[np.intp],
    *,
    seed: int,
    drawn: bool,
    seconds: float,
    code: str,
) -> Measured:
    """Figures of one method's scores.

    Args:
        score: of the test, [t].
        truth: fraud, [t].
        customer: number of each row's customer, [t]; the unit that is drawn.
        seed: of the draws; equal for all methods of a test, so that they are paired.
        drawn: whether the draws are wanted; they take a few seconds.
        seconds: see `Measured`.
        code: see `Measured`.
    """
    ranking = Ranking.of(score.astype(np.float64), truth, customer)
    count = int(customer.max()) + 1
    rng = np.random.default_rng(seed)
    once, share = np.ones((count, 1)), np.full(count, 1 / count)
    draws = [rng.multinomial(count, share).astype(np.float64)[:, None] for _ in range(DRAWS if drawn else 0)]
    return Measured(
        ap=round(float(ranking.average_precision(once)[0]), 5),
        recall_at_1pct=round(float(ranking.recall_at_1pct(once)[0]), 5),
        seconds=round(seconds, 1),
        code=code,
        draws=tuple(round(float(ranking.average_precision(weight)[0]) * SCALE) for weight in draws),
    )
