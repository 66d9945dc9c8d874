"""The second act of `make demo`: a new kind of fraud begins, and the loop adapts the model without anybody's help."""

import shutil
from pathlib import Path
from typing import Final

from rich.console import Console

from local.demo.claims import Broken
from local.demo.closed_loop.plot import draw, table
from local.demo.closed_loop.recall import Recall, measure, told
from local.demo.closed_loop.run import played
from local.demo.closed_loop.scenario import Plan, prepare
from local.demo.outputs import Topics

SMALL: Final = Plan(transactions=45_000, days=200, live=110, pattern=130)
PLOT: Final = "readaptation.png"


def second_act(servers: str, topics: Topics, *, folder: Path, bases: Path, console: Console) -> Recall:
    """Plays the closed loop in simulated time, and draws recall before, during and after.

    Args:
        servers: the broker.
        topics: of the first act; the second one's are named after them.
        folder: of the demo; what this act makes goes to `readapt` in it, the plot beside that.
        bases: model directory of the first act, whose base is adapted again.
        console: told what happens.

    Raises:
        ProgramFailed: a program failed.
        Lost: a payment was neither scored nor set aside.
        Broken: a payment was lost or scored twice, or the loop never learnt the new pattern.
    """
    plan = SMALL
    console.print(f"second act: {plan.transactions:,} payments in {plan.days} simulated days; from day "
                  f"{plan.pattern} on there is a fraud that nobody has labels for")  # fmt: skip
    shutil.rmtree(folder / "readapt", ignore_errors=True)
    world = prepare(plan, folder / "readapt", bases=bases)
    own = Topics(prefix=f"{topics.prefix}readapt.")
    with played(plan, world, servers, own, folder=folder / "readapt", tell=console.print) as story:
        seen = told(story)
        if not seen.promoted:
            raise Broken(f"the loop never promoted a version that knew the new pattern (see {story.loop.folder})")
        said = measure(story, seen)
    if said.lost or said.doubled:
        raise Broken(f"{said.lost} payments were lost and {said.doubled} scored twice while the loop was running")
    draw(seen, plan, said, folder / PLOT)
    console.print(table(seen, plan))
    console.print(f"the same plot: {folder / PLOT}")
    return said
