"""The order of cells: figures that decide come before figures that complete."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.transfer.methods import RIVALS
from benchmarks.transfer.pairs import PAIRS, PRESETS

CORE: Final = (*RIVALS, "source_only", "joint_distilled", "auto")
REST: Final = ("l2sp", "frozen", "adapters", "dann", "coral")
SEEDS: Final = (101, 102, 103, 104, 105)
"""Of the final figures. Seeds below 100 were used while the strategies were made."""

DECIDING: Final = ("500", "60d")
FIRST: Final = ("100", "500", "60d", "all", "30d")
LATER: Final = ("2000", "90d", "180d", "14d")

CONTROLS: Final = ("shuffled", "flipped", "half")


@dataclass(frozen=True, slots=True)
class Turn:
    """Some budgets of one pair and seed."""

    pair: str
    seed: int
    budgets: tuple[str, ...]
    methods: tuple[str, ...]
    control: str = ""


def turns(seeds: Sequence[int]) -> Iterator[Turn]:
    """All of them, the most telling first; of other seeds, when any are given, simply all."""
    if seeds:
        yield from _turns(seeds, (*FIRST, *LATER), (*CORE, *REST))
        return
    yield from _turns(SEEDS[:2], DECIDING, CORE)
    yield from _turns(SEEDS[:1], ("all",), CORE)
    yield from _turns(SEEDS[2:3], DECIDING, CORE)
    yield from _turns(SEEDS[:1], DECIDING, REST)
    yield from _turns(SEEDS[:2], FIRST, CORE)
    yield from (Turn("positive", SEEDS[0], ("500",), CORE, control) for control in CONTROLS)
    yield from _turns(SEEDS[2:3], FIRST, CORE)
    yield from _turns(SEEDS[:3], LATER, CORE)
    yield from _turns(SEEDS[3:], (*FIRST, *LATER), CORE)
    yield from _turns(SEEDS, (*FIRST, *LATER), REST)
    yield from (Turn("positive", seed, ("500",), CORE, control) for control in CONTROLS for seed in SEEDS[1:])


def _turns(seeds: Sequence[int], budgets: Sequence[str], methods: tuple[str, ...]) -> Iterator[Turn]:
    for seed in seeds:
        for pair in PAIRS:
            # Only the simulator tells when labels are received.
            possible = tuple(b for b in budgets if pair in PRESETS or not b.endswith("d"))
            yield Turn(pair, seed, possible, methods)
