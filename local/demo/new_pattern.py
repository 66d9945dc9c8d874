"""The second part of `make demo`: a new kind of fraud begins, and the loop adapts the model without anybody's help."""

import shutil
from pathlib import Path
from typing import Final

from rich.console import Console

from local.demo.claims import ClaimFailed
from local.demo.closed_loop.plot import draw, table
from local.demo.closed_loop.recall import Recall, decided_payments, measure
from local.demo.closed_loop.run import run_scenario
from local.demo.closed_loop.scenario import Scenario, prepare
from local.demo.outputs import Topics

SMALL: Final = Scenario(transactions=45_000, days=200, live=110, pattern=130)
PLOT: Final = "readaptation.png"


def run_new_pattern(servers: str, topics: Topics, *, folder: Path, bases: Path, console: Console) -> Recall:
    """Runs the closed loop in simulated time, and draws recall before, during and after.

    Args:
        servers: the broker.
        topics: of the first part; this part's are named after them.
        folder: of the demo; what this part makes goes to `readapt` in it, the plot beside that.
        bases: model directory of the first part, whose base is adapted again.
        console: for progress and the table.

    Raises:
        ProgramFailed: a program failed.
        OutputMissing: a payment was neither scored nor set aside.
        ClaimFailed: a payment was lost or scored twice, or the loop never learnt the new pattern.
    """
    scenario = SMALL
    console.print(f"new pattern: {scenario.transactions:,} payments in {scenario.days} simulated days; from day "
                  f"{scenario.pattern} on there is a fraud that nobody has labels for")  # fmt: skip
    shutil.rmtree(folder / "readapt", ignore_errors=True)
    stream = prepare(scenario, folder / "readapt", bases=bases)
    own = Topics(prefix=f"{topics.prefix}readapt.")
    with run_scenario(scenario, stream, servers, own, folder=folder / "readapt", say=console.print) as done:
        decided = decided_payments(done)
        if not decided.promoted:
            raise ClaimFailed(f"the loop never promoted a version that knew the new pattern (see {done.loop.folder})")
        recall = measure(done, decided)
    if recall.lost or recall.doubled:
        raise ClaimFailed(
            f"{recall.lost} payments were lost and {recall.doubled} scored twice while the loop was running"
        )
    draw(decided, scenario, recall, folder / PLOT)
    console.print(table(decided, scenario))
    console.print(f"the same plot: {folder / PLOT}")
    return recall
