"""A graph is judged by its bytes alone: whatever they are, it is taken or refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.models.graph import InvalidGraph, check_graph


def field(number: int, *content: bytes) -> bytes:
    """A field with a length, as protobuf writes it; short ones only."""
    whole = b"".join(content)
    assert len(whole) < 1 << 14
    return bytes([number << 3 | 2, len(whole) & 0x7F | 0x80, len(whole) >> 7]) + whole


def node(operation: str, calls: str = "") -> bytes:
    function = field(5, field(1, b"f"), field(2, field(10, field(1, calls.encode())))) if calls else b""
    return field(1, b"name") + field(2, operation.encode()) + function


def function(name: str, *nodes: bytes) -> bytes:
    return field(1, field(1, field(1, name.encode())), *(field(3, each) for each in nodes))


def model(*functions: bytes, nodes: tuple[bytes, ...] = (), objects: bytes = b"") -> bytes:
    graph = field(2, *(field(1, each) for each in nodes), field(2, *functions))
    return field(2, graph, field(7, objects))


SAVE = function("save", node("SaveV2"), node("Const"))
CALL = node("StatefulPartitionedCall", calls="save")


def refusal(tmp_path: Path, content: bytes) -> str:
    (tmp_path / "saved_model.pb").write_bytes(content)
    try:
        check_graph(tmp_path / "saved_model.pb")
    except InvalidGraph as error:
        return str(error)
    return ""


def test_what_computes_is_taken_and_so_is_tensorflows_saver_where_only_the_graph_calls_it(tmp_path: Path) -> None:
    assert not refusal(tmp_path, model(function("serve", node("MatMul")), SAVE, nodes=(CALL, node("Placeholder"))))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (model(function("serve", node("ReadFile"))), "'ReadFile'"),
        (model(nodes=(node("PyFunc"),)), "'PyFunc'"),
        (model(nodes=(node("SaveV2"),)), "'SaveV2'"),
        (model(SAVE, function("serve", CALL)), "'SaveV2'"),
        (model(SAVE, objects=field(1, field(8, field(1, b"save")))), "'SaveV2'"),
        (model(function("", node("RestoreV2"))), "'RestoreV2'"),
        (model(SAVE, function("save", node("Const"))), "'SaveV2'"),
        # Of a text that stands twice TensorFlow takes the last one; both are judged.
        (model(function("serve", node("ReadFile") + field(2, b"Const"))), "'ReadFile'"),
        (field(2, field(2)), "has no objects"),
        (model() + model(), "holds 2 graphs"),
        (b"", "holds 0 graphs"),
        (b"\xff" * 30, "damaged"),
        (b"\x13", "damaged"),
        (model()[:-1], "damaged"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    assert why in refusal(tmp_path, content)


WHOLE = model(function("serve", node("MatMul")), SAVE, nodes=(CALL,))


@given(st.one_of(st.binary(max_size=200), st.tuples(st.integers(0, len(WHOLE)), st.binary(max_size=9)).map(
    lambda cut: WHOLE[: cut[0]] + cut[1] + WHOLE[cut[0] + len(cut[1]) :]
)))  # fmt: skip
def test_whatever_the_bytes_are_the_refusal_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    assert "\n" not in refusal(tmp_path_factory.getbasetemp(), content)
