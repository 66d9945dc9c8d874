"""The one way functions are compiled here: to machine code at first call, kept on disk for later processes."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

P = ParamSpec("P")
R = TypeVar("R")

_FRAUD: Final = Path(__file__).parent
SOURCES: Final = (
    *sorted(_FRAUD.glob("*/kernel/**/*.py")),
    _FRAUD / "compiled.py",
    _FRAUD / "decoding" / "batch.py",
    _FRAUD / "contracts" / "fields.py",
    _FRAUD / "units.py",
)
"""All that machine code is made of: the kernels, and the names of fields and columns that they take for constants."""

BUILT: Final = _FRAUD / "built"
"""Machine code that was compiled when an image was made (`python -m fraud.features.warming`): read, never written."""


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

    Numba's own looks at the date of the function's file alone, while the machine code holds everything that the
    function calls: an edit of one module would leave the old loop in use. Nor does a date survive the way of an image.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        stamp = sha256(Path(function.__code__.co_filename).read_bytes()).digest(), _stamp()
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)


class _Files(IndexDataCacheFile):  # type: ignore[misc] # as above
    """What was compiled here; else what an image brought along, which is of use on a CPU like its builder's."""

    def __init__(self, folder: str, name: str, stamp: tuple[bytes, bytes]) -> None:
        super().__init__(folder, name, stamp)
        self._built = IndexDataCacheFile(str(BUILT), name, stamp)

    def load(self, key: object) -> object:
        found = super().load(key)
        return self._built.load(key) if found is None else found


@cache
def _stamp() -> bytes:
    content = sha256()
    for path in SOURCES:
        content.update(path.relative_to(_FRAUD).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.digest()
