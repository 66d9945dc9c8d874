"""Log lines on single payments: enough to find them, no id in the clear, and not too often."""

from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from fraud.history.history import History, HistoryConfig
from fraud.privacy.pseudonyms import Pseudonyms
from local.testbed.bundles import AmountModel
from local.testbed.events import at_us, raw, transaction
from service.batch import ProcessedBatch
from service.bootstrap import build_pipeline, domain, pseudonyms
from service.observability.log_sampling import EVERY, SampledWarnings
from service.ports import Channel, Models, Records
from service.settings import Settings

CONFIG = HistoryConfig(max_entities=1 << 12, max_entries=1 << 14, max_bucketed=1 << 8, recent_capacity=1 << 12)
PAN = "4111111111111111"


@dataclass
class Hand:
    """A clock that is moved by hand."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def processed(*values: bytes, start: int = 7, **changes: bool) -> ProcessedBatch:
    settings = Settings(secret="s" * 16, **changes)  # type: ignore[arg-type] # one type for all of them
    pipeline = build_pipeline(settings, domain(settings), lambda: 0.0)
    pipeline.adopt(0, History(CONFIG), start)
    count = len(values)
    records = Records(
        0, range(start, start + count), [at_us()] * count, [b"alice@example.org"] * count, values, [()] * count
    )
    return pipeline.process([records], Models(AmountModel()), 0)


def logged(*results: ProcessedBatch, names: Pseudonyms | None) -> list[dict[str, object]]:
    with capture_logs() as lines:
        warnings = SampledWarnings(names, Hand())
        for result in results:
            warnings.observe(result)
    return [dict(line) for line in lines]


def test_a_dead_letter_can_be_found_and_its_customer_only_with_the_secret() -> None:
    names = Pseudonyms(b"secret")
    (line,) = logged(processed(raw(transaction(1)), b"broken", b"broken"), names=names)
    assert (line["event"], line["log_level"], line["count"]) == ("dead letters", "warning", 2)
    assert (line["partition"], line["offset"], line["reason"]) == (0, 8, "not_json")
    assert line["customer"] == names.of("alice@example.org")
    assert "alice" not in str(line)


def test_without_a_secret_no_customer_is_named() -> None:
    (line,) = logged(processed(b"broken"), names=None)
    assert "customer" not in line
    assert "alice" not in str(line)


@pytest.mark.parametrize("field", [{"card_id": PAN}, {"attributes": {"note": f"card {PAN}"}}])
def test_where_a_card_number_came_from_is_told_without_the_number(field: dict[str, object]) -> None:
    (line,) = logged(processed(raw(transaction(1)), raw(transaction(2, **field))), names=Pseudonyms(b"secret"))
    assert (line["event"], line["offset"], line["count"]) == ("card numbers received", 8, 1)
    assert PAN not in str(line)


def test_a_flood_is_a_line_now_and_then_that_counts_the_rest() -> None:
    clock = Hand()
    warnings, result = SampledWarnings(None, clock), processed(b"broken", b"broken")
    with capture_logs() as lines:
        for _ in range(800):
            clock.seconds += EVERY / 80
            warnings.observe(result)
    assert len(lines) == 10
    assert lines[1]["count"] == 160


def test_logs_and_alerts_name_a_customer_alike() -> None:
    names = pseudonyms(Settings(secret="s" * 16))
    assert names is not None
    result = processed(raw(transaction(1, customer_id="alice@example.org", amount="900.00")), b"x", pseudonyms=True)
    alerts = next(m for m in result.outputs[0].messages if m.channel is Channel.ALERTS)
    (line,) = logged(result, names=names)
    assert [str(line["customer"]).encode()] == list(alerts.keys)
