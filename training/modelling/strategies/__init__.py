"""Ways to adapt a base to a target platform, one module each; formula and paper in its docstring.

A strategy is a function `Task -> Adapted`. Named here, imported where it is used: TensorFlow and LightGBM take seconds.
"""

from typing import Final

_HERE: Final = "training.modelling.strategies"

STRATEGIES: Final = {
    "auto": f"{_HERE}.auto:adapt",
    "joint_distilled": f"{_HERE}.joint_distilled:adapt",
    "l2sp": f"{_HERE}.l2sp:adapt",
    "boosted": f"{_HERE}.boosted:adapt",
    "frozen": f"{_HERE}.frozen:adapt",
    "adapters": f"{_HERE}.adapters:adapt",
    "dann": f"{_HERE}.dann:adapt",
    "coral": f"{_HERE}.coral:adapt",
    "mmd": f"{_HERE}.coral:adapt_mmd",
    "self_supervised": f"{_HERE}.self_supervised:adapt",
    "multitask": f"{_HERE}.multitask:adapt",
    "target_only": f"{_HERE}.target_only:adapt",
    "source_only": f"{_HERE}.source_only:adapt",
}
"""Name -> module:function."""

DEFAULT: Final = "auto"

QUICK: Final = "joint_distilled"
"""Where adaptation is repeated day after day: a third of the time."""
