"""The one way functions are compiled here: to machine code at first call, kept on disk for later processes."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Numba's nopython mode, cached; no fast maths, so that results are the same on every machine."""
    return cast("Callable[P, R]", njit(cache=True)(function))
