"""What a cell (pair, budget, seed) measured, as one small JSON file: figures and bootstrap draws, no scores.

The files under `benchmarks/transfer/results` are kept in the repository, so that a later run continues; each method's
entry names the commit of the code that it came from.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.transfer.methods import UNADAPTED
from training.sample import MIN_FRAUDS
from training.scores_bootstrap import Ranking

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
        """Its file."""
        name = "-".join(filter(None, (self.pair, self.control)))
        return FOLDER / name / f"{self.budget}.{self.seed}.json"

    def save(self) -> None:
        """Writes the file in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(self) + b"\n")
        temporary.replace(self.path)

    def possible(self, methods: Sequence[str]) -> list[str]:
        """Those of the methods that can learn from the cell's labels, as far as they have been looked at."""
        few = self.test_rows > 0 and self.frauds < MIN_FRAUDS
        return [name for name in methods if not few or name in UNADAPTED]

    def known(self) -> "Cell":
        """The cell as it was saved, or this empty one."""
        return msgspec.json.decode(self.path.read_bytes(), type=Cell) if self.path.is_file() else self


def load_all(folder: Path = FOLDER) -> list[Cell]:
    """Every saved cell."""
    return [msgspec.json.decode(path.read_bytes(), type=Cell) for path in sorted(folder.glob("*/*.json"))]


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
    once = np.ones(count)
    draws = [rng.multinomial(count, once / count).astype(np.float64) for _ in range(DRAWS if drawn else 0)]
    return Measured(
        ap=round(ranking.average_precision(once), 5),
        recall_at_1pct=round(ranking.recall_at_1pct(once), 5),
        seconds=round(seconds, 1),
        code=code,
        draws=tuple(round(ranking.average_precision(weight) * SCALE) for weight in draws),
    )
