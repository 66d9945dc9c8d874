"""The one way functions are compiled here: to machine code at first call, kept on disk for later processes."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Numba's nopython mode, cached; no fast maths, so that results are the same on every machine.

    Without Numba's reference counting: the arrays belong to the caller for the whole call, and two atomic operations
    for each array that an inner function is given made the loop four times slower. Neither such a function nor what it
    calls creates arrays.
    """
    return cast("Callable[P, R]", njit(cache=True, _nrt=False)(function))


def compiled_with_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """The same for a function that creates arrays."""
    return cast("Callable[P, R]", njit(cache=True)(function))
