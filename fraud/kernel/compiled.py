"""The one way functions are compiled here: to machine code at first call, kept on disk for later processes."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

P = ParamSpec("P")
R = TypeVar("R")

_HERE: Final = Path(__file__).parent
SOURCES: Final = (*sorted(_HERE.glob("*.py")), _HERE.parent / "batch.py")
"""All that the kernel's machine code is made of: this package, and the names of columns that it takes for constants."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Numba's nopython mode, cached; no fast maths, so that results are the same on every machine.

    Without Numba's reference counting: the arrays belong to the caller for the whole call, and two atomic operations
    for each array that an inner function is given made the loop four times slower. Neither such a function nor what it
    calls creates arrays.
    """
    return _cached(function, _nrt=False)


def compiled_with_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """The same for a function that creates arrays."""
    return _cached(function)


def _cached(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    dispatcher = njit(**options)(function)
    dispatcher._cache = _Cache(function)  # noqa: SLF001 - what njit(cache=True) does, with a cache of its own
    return cast("Callable[P, R]", dispatcher)


class _Cache(FunctionCache):  # type: ignore[misc] # Numba has no types
    """Out of date as soon as the function's file or any of SOURCES changes.

    Numba's own looks at the function's file alone, while the machine code holds everything that the function calls: an
    edit of one module would leave the old loop in use.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), _stamp()
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)


@cache
def _stamp() -> bytes:
    content = hashlib.sha256()
    for path in SOURCES:
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.digest()
