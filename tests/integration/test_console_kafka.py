"""The console on a real broker: a verdict by form is a label that the ledger counts, whoever is killed in between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pyarrow as pa
import pytest

from fraud.contracts.inbound import Label
from local.broker.address import KafkaAddress
from local.testbed.consoles import ConsoleStack, Visitor
from tests.support.console_events import alert, case_id, payment, raw
from training.labels.ledger import resolve_labels
from training.loop.messages import labels_frame

pytestmark = pytest.mark.kafka
AtWork = Callable[[int, str], Visitor]
USERS = {"mira": "analyst", "tom": "analyst"}
STOLEN = {"verdict": "unauthorised", "reason_code": "stolen_card"}


@pytest.fixture
def stack(broker: KafkaAddress, tmp_path: Path, unique_name: Callable[[str], str]) -> Iterator[ConsoleStack]:
    made = ConsoleStack(broker.bootstrap_servers, tmp_path, unique_name("console"))
    made.send("transactions", *(raw(payment(number)) for number in range(1, 4)))
    made.send("alerts", *(raw(alert(number)) for number in range(1, 4)))
    yield made
    made.close()


@pytest.fixture
def at_work() -> Iterator[AtWork]:
    """Return a function that logs somebody in at a console's port; connections end with the test."""
    with ExitStack() as opened:

        def log_in(port: int, name: str) -> Visitor:
            visitor = opened.enter_context(closing(Visitor(port, name)))
            assert visitor.log_in().status == 200
            return visitor

        yield log_in


def labels(stack: ConsoleStack, wanted: int) -> dict[str, Label]:
    """By payment, once there are so many: those of a dead console are taken over after twenty seconds."""
    found: dict[str, Label] = {}
    for _ in range(20):
        found = {label.transaction_id: label for label in stack.labels()}
        if len(found) == wanted:
            break
    return found


def test_a_verdict_is_a_label_in_kafka_and_outlives_a_console_that_is_killed(
    stack: ConsoleStack, at_work: AtWork
) -> None:
    console, port = stack.console("one", USERS)
    console.ready()
    mira = at_work(port, "mira")
    for number in (1, 2):
        assert "You hold this case" in mira.act(case_id(number), "act", act="claim").text
        assert "Judged unauthorised" in mira.act(case_id(number), "verdict", **STOLEN).text
    console.kill()
    again, _ = stack.console("another", {})  # with an empty projection: the log is all there is
    again.ready()
    assert again.metric("fraud_console_open_cases") == 1
    found = labels(stack, 2)
    assert {name: (label.verdict, label.source) for name, label in found.items()} == {
        "t1": ("unauthorised", "analyst"),
        "t2": ("unauthorised", "analyst"),
    }
    arrived = pa.table({"value": stack.read("labels"), "timestamp": [2**50] * len(stack.labels())})
    frame, refused = labels_frame(arrived)
    assert refused == 0
    assert list(resolve_labels(frame, 2**51)["verdict"]) == ["unauthorised"] * 2, "the ledger counts each payment once"


def test_two_consoles_give_one_case_to_one_analyst(stack: ConsoleStack, at_work: AtWork) -> None:
    ports = []
    for name in ("one", "two"):
        console, port = stack.console(name, USERS)
        console.ready()
        ports.append(port)
    mira, tom = at_work(ports[0], "mira"), at_work(ports[1], "tom")
    stale = tom.get(f"/case/{case_id(3)}").hidden()
    assert "You hold this case" in mira.act(case_id(3), "act", act="claim").text
    assert tom.post(f"/case/{case_id(3)}/act", **stale, act="claim").status == 409
    assert "mira holds this case" in tom.get(f"/case/{case_id(3)}").text
