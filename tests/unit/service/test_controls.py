"""Controls in the service: rules over the history, lists and levers decide from one batch to the next, and say so."""

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from fraud.contracts.examples import EXAMPLES
from fraud.history.history import HistoryConfig
from local.testbed.bundles import FixedModels
from local.testbed.events import at_us, raw, transaction
from runtime.clock import SystemClock
from service.bootstrap import Adapters, Service, compose
from service.observability.metrics import Metrics
from service.ports import Channel
from service.settings import Settings
from tests.support.memory_log import MemoryBroker, MemoryControls, MemoryLog, MemorySnapshots

CONFIG = HistoryConfig(max_entities=1 << 12, max_entries=1 << 14, max_bucketed=1 << 8, recent_capacity=1 << 12)
COUNT = 30


def control(name: str, *, kind: str = "rule", version: int = 1, status: str = "live", **body: object) -> bytes:
    base = {key: value for key, value in EXAMPLES["control_rule"][1].items() if key not in ("rule", "share")}
    own = {"control_id": name, "kind": kind, "version": version, "status": status, "approver": "noor"}
    return msgspec.json.encode({**base, **own, "valid_from": None, "valid_until": None, kind: body})


def decided(*records: bytes, later: tuple[bytes, ...] = ()) -> list[dict[str, Any]]:
    """The decisions on payments of one device and five cards under controls; `later` ones come after half of them."""
    broker, controls = MemoryBroker(1), MemoryControls(*records)
    for number in range(COUNT):
        event = transaction(number, device_id="shared", card_id=f"card{number % 5}")
        broker.produce(raw(event), key=b"c", timestamp_us=at_us(number))
    log = MemoryLog(broker, instance_id="one", batch_records=5)
    running = compose(
        Settings(),
        Adapters(log, FixedModels(), MemorySnapshots(), SystemClock(), controls),
        Metrics(CollectorRegistry()),
        CONFIG,
    )
    run(running, broker, controls, later)
    return [msgspec.json.decode(message.value) for message in broker.published[Channel.DECISIONS]]


def run(running: Service, broker: MemoryBroker, controls: MemoryControls, later: tuple[bytes, ...]) -> None:
    log = running.runner._log
    poll, waiting = log.poll, [*later]

    def watched(timeout: float) -> object:
        done = broker.positions.get(0) or 0
        if done >= COUNT // 2:
            controls.records += waiting
            waiting.clear()
        if done == COUNT:
            running.stop.request()
        return poll(timeout)

    log.poll = watched  # type: ignore[method-assign, assignment]
    running.runner.run()


def test_a_rule_reads_a_measure_that_no_feature_has() -> None:
    rows = decided(control("five-cards", when="device_cards_10min >= 5 and amount < money(100, 'EUR')", effect="block"))
    blocked = [row["action"] == "block" for row in rows]
    assert blocked == [False] * 5 + [True] * (COUNT - 5)
    assert rows[-1]["rules"] == ["five-cards@1"]
    assert rows[0]["rules"] is None
    assert {row["model_action"] for row in rows} == {"allow"}


def test_what_rules_ask_for_leaves_features_and_scores_alone() -> None:
    under = decided(control("any", when="device_attempts_24h > 3 and has(card_attempts_10min)", effect="review"))
    plain = decided()
    assert [row["features_crc"] for row in under] == [row["features_crc"] for row in plain]
    assert [row["score"] for row in under] == [row["score"] for row in plain]
    assert {row["action"] for row in under} == {"allow", "review"}


def test_a_list_is_filled_and_emptied_between_two_batches() -> None:
    rule = control("held", when='card_id in list("stolen")', effect="block")
    entry = control("entry", kind="list_entry", list="stolen", values=["card3"])
    gone = control("entry", kind="list_entry", version=2, status="archived", list="stolen", values=["card3"])
    held = [row["action"] == "block" for row in decided(rule, entry, later=(gone,))]
    assert any(held[: COUNT // 2])
    assert not any(held[COUNT // 2 + 10 :])
    assert sum(held[: COUNT // 2]) == COUNT // 2 // 5


def test_a_rule_in_shadow_is_told_and_does_nothing() -> None:
    rows = decided(control("quiet", when="amount > 0", effect="block", status="shadow"))
    assert {row["action"] for row in rows} == {"allow"}
    assert rows[0]["rules_shadow"] == ["quiet@1"]
    assert rows[0]["controls_offset"] == 1


def test_rules_are_computed_together_and_changed_apart() -> None:
    first = control("one", when="device_attempts_1h >= 10", effect="review")
    second = control("two", when="device_attempts_1h >= 10 and card_id == 'card1'", effect="block")
    paused = control("one", version=2, status="paused", when="device_attempts_1h >= 10", effect="review")
    rows = decided(first, second, later=(paused,))
    assert rows[11]["action"] == "block"
    assert rows[12]["action"] == "review"
    assert {row["action"] for row in rows[-5:]} == {"allow", "block"}


def test_a_rule_that_means_nothing_here_is_no_reason_to_stop() -> None:
    rows = decided(control("odd", when="loyalty_level > 3", effect="block"))
    assert {row["action"] for row in rows} == {"allow"}
    assert len(rows) == COUNT
