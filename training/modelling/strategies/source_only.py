"""No adaptation: the pre-trained net as it is; the target's labels only calibrate it.

What every strategy has to beat, and all there is on the first day.
"""

from training.modelling.strategies.task import Adapted, Task


def adapt(task: Task) -> Adapted:
    """The first pre-trained net."""
    return Adapted(task.base.teacher(0, seed=task.seed), why="the pre-trained net as it is")
