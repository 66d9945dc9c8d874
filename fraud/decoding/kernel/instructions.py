"""What the processor can do and Python has no word for: unaligned reads, products of 128 bits, counting bits."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_HALF = ir.IntType(32)
_WIDE = ir.IntType(128)


def _load(number: ir.IntType) -> Any:  # noqa: ANN401 - Numba has no types
    """How such a number is read, wherever it begins, and made a word."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [args[1]])
        read = builder.load(builder.bitcast(place, number.as_pointer()), align=1)
        return read if number is _WORD else builder.zext(read, _WORD)

    return generate


@intrinsic  # type: ignore[untyped-decorator] # Numba has no types
def load64(_typing: Any, data: Any, at: Any) -> Any:  # noqa: ANN401, ARG001
    """Eight bytes of an uint8 array from `at` on, as a number of this machine's byte order; all must lie inside."""
    return types.uint64(data, types.int64), _load(_WORD)


@intrinsic  # type: ignore[untyped-decorator] # as above
def load32(_typing: Any, data: Any, at: Any) -> Any:  # noqa: ANN401, ARG001
    """Four bytes likewise."""
    return types.uint64(data, types.int64), _load(_HALF)


@intrinsic  # type: ignore[untyped-decorator] # as above
def fold_product(_typing: Any, first: Any, second: Any) -> Any:  # noqa: ANN401, ARG001
    """The upper and the lower half of a product of 128 bits, one xor the other."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        product = builder.mul(builder.zext(args[0], _WIDE), builder.zext(args[1], _WIDE))
        upper = builder.trunc(builder.lshr(product, _WIDE(64)), _WORD)
        return builder.xor(builder.trunc(product, _WORD), upper)

    return types.uint64(types.uint64, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator] # as above
def swap_bytes(_typing: Any, word: Any) -> Any:  # noqa: ANN401, ARG001
    """The word with its bytes in the other order."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.bswap(args[0])

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator] # as above
def lowest_bit(_typing: Any, word: Any) -> Any:  # noqa: ANN401, ARG001
    """The place of the lowest bit that is set, from 0; 64 where none is."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate
