"""The operations of a SavedModel, read from its file, and which of them a model that scores payments may hold.

TensorFlow runs parts of a SavedModel while it loads it, and its operations can read and write files, open connections
and call Python. So the file is judged before TensorFlow sees it. The walk below is protobuf's wire format
(https://protobuf.dev/programming-guides/encoding/) without any schema beyond the fields on the way to an operation, so
that both programs, and commands that do without TensorFlow, refuse a graph alike. It takes every occurrence of a field
where TensorFlow takes the last one: it sees all that TensorFlow sees.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NUMBERS: Final = (
    "Abs AddN AddV2 All Any ArgMax ArgMin BatchMatMulV2 BiasAdd BroadcastTo Cast Ceil ClipByValue ConcatV2 Const "
    "Cumsum DivNoNan Einsum Elu Equal Erf Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod GatherNd GatherV2 Greater "
    "GreaterEqual Identity IdentityN IsFinite IsInf IsNan LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd "
    "LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mul MulNoNan Neg NoOp NotEqual OneHot OnesLike Pack Pad "
    "PadV2 Placeholder Pow Prod Range Rank RealDiv Reciprocal Relu Relu6 Reshape Round Rsqrt Select SelectV2 Selu "
    "Shape Sigmoid Sign Size Slice Softmax Softplus Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient "
    "StridedSlice Sub Sum Tanh Tile Transpose Unpack UnsortedSegmentSum Where ZerosLike"
)
_GRADIENTS: Final = (
    "BiasAddGrad BroadcastGradientArgs ConcatOffset DynamicStitch EluGrad InvertPermutation ReluGrad Relu6Grad "
    "RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad SqrtGrad StridedSliceGrad TanhGrad"
)
"""A net explains itself by them."""

_VARIABLES: Final = "AssignVariableOp ReadVariableOp ResourceGather VarHandleOp VarIsInitializedOp"
_CONTROL: Final = "Assert If PartitionedCall StatefulPartitionedCall StatelessIf StatelessWhile Timestamp While"
"""Over functions of the same file."""

ALLOWED: Final = frozenset(f"{_NUMBERS} {_GRADIENTS} {_VARIABLES} {_CONTROL}".split())
"""Operations that touch nothing but their operands; the last line also tells the time."""

SAVER: Final = frozenset(
    {
        "DisableCopyOnRead",
        "MergeV2Checkpoints",
        "RestoreV2",
        "SaveV2",
        "ShardedFilename",
        "StaticRegexFullMatch",
        "StringJoin",
    }
)
"""Operations that TensorFlow's own saver puts into two functions of every SavedModel. They read and write files, so
they are allowed where nothing can call them: in functions that neither another function nor the object graph names. The
graph itself does name them, but of a model with objects only functions are run."""

SAVED_MODEL: Final = "saved_model.pb"

# Field numbers, from tensorflow/core/protobuf and tensorflow/core/framework.
_META_GRAPHS: Final = 2
_GRAPH, _OBJECTS = 2, 7
_NODES, _LIBRARY = 1, 2
_FUNCTION: Final = 1
_SIGNATURE, _NAME, _BODY = 1, 1, 3
_OPERATION: Final = 2

_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}
"""Wire type -> length, of numbers of a fixed length."""


class InvalidGraph(ValueError):  # noqa: N818 - named like InvalidBundle
    """A SavedModel that must not be loaded; the text is one line."""


def check_graph(path: Path) -> None:
    """Refuses a SavedModel that could do anything but compute.

    Args:
        path: `saved_model.pb`.

    Raises:
        InvalidGraph: it is damaged, or holds an operation that is not allowed where it stands.
        OSError: it cannot be read.
    """
    graphs = list(_inside(memoryview(path.read_bytes()), _META_GRAPHS))
    if len(graphs) != 1:
        raise InvalidGraph(f"{SAVED_MODEL} holds {len(graphs)} graphs, not one")
    objects = [bytes(held) for held in _inside(graphs[0], _OBJECTS)]
    if not objects:
        # TensorFlow would take it for one of version 1, and run the graph itself.
        raise InvalidGraph(f"{SAVED_MODEL} has no objects: it was not exported by TensorFlow 2")
    libraries = [library for graph in _inside(graphs[0], _GRAPH) for library in _inside(graph, _LIBRARY)]
    callers = b"\0".join((*map(bytes, libraries), *objects))
    for name, operations in operations_of(graphs[0]):
        own = operations - ALLOWED
        # Its own signature is the one place where the name of a function that nothing calls may stand.
        if own & SAVER and name and callers.count(name) == 1:
            own -= SAVER
        if own:
            raise InvalidGraph(f"{SAVED_MODEL} holds the operation {min(own)[:80]!r}, which no model needs to score")


def operations_of(meta_graph: memoryview) -> Iterator[tuple[bytes, set[str]]]:
    """Name and operations of the graph itself, whose name is empty, and of every function."""
    for graph in _inside(meta_graph, _GRAPH):
        yield b"", _operations(graph, _NODES)
        for library in _inside(graph, _LIBRARY):
            for function in _inside(library, _FUNCTION):
                names = [name for held in _inside(function, _SIGNATURE) for name in _inside(held, _NAME)]
                yield bytes(names[-1]) if names else b"", _operations(function, _BODY)


def _operations(holder: memoryview, nodes: int) -> set[str]:
    return {
        bytes(operation).decode("utf-8", "replace")
        for node in _inside(holder, nodes)
        for operation in _inside(node, _OPERATION)
    }


def _inside(message: memoryview, number: int) -> Iterator[memoryview]:
    """The messages or texts of one field."""
    return (value for found, value in _fields(message) if found == number)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of every field that has a length; numbers are passed over."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise InvalidGraph(f"{SAVED_MODEL} is damaged: it has no field {number}")
        if kind == 0:
            _, place = _varint(message, place)
            continue
        length = _FIXED.get(kind, -1)
        if kind == _BYTES:
            length, place = _varint(message, place)
        if not 0 <= length <= len(message) - place:
            raise InvalidGraph(f"{SAVED_MODEL} is damaged or cut off")
        if kind == _BYTES:
            yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = 0
    for step, byte in enumerate(message[place : place + 10]):
        value |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return value, place + step + 1
    raise InvalidGraph(f"{SAVED_MODEL} is damaged or cut off")
