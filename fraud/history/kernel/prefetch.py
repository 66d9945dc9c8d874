"""Asks for memory before it is read. A hint to the processor: no value depends on it."""

from typing import Any

import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fraud.compiled import compiled
from fraud.history.kernel.layout import Int

_LINE = 64
"""Bytes that come at once."""


@compiled
def ask_for(records: npt.NDArray[Any], first: Int, count: Int) -> None:
    """Has `count` records, from the one with index `first` on, on their way from memory."""
    size = records.strides[0]
    ask_for_bytes(records, first * size, count * size)


@compiled
def ask_for_bytes(array: npt.NDArray[Any], first: Int, count: Int) -> None:
    """Has `count` bytes of an array, from the one at `first` on, on their way from memory."""
    for offset in range(first, first + count, _LINE):
        _prefetch(array, offset)


@intrinsic  # type: ignore[untyped-decorator] # Numba has no types
def _prefetch(_typing: Any, array: Any, offset: Any) -> Any:  # noqa: ANN401, ARG001
    """LLVM's prefetch of the line that lies `offset` bytes into an array, for reading, into every cache."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        reading, everywhere, of_data = number(0), number(3), number(1)
        builder.call(hint, [builder.gep(builder.bitcast(data, byte), [args[1]]), reading, everywhere, of_data])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate
