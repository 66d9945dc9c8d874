import pytest
from prometheus_client import CollectorRegistry

from local.testbed.bundles import AmountModel
from local.testbed.events import at, at_us, raw, transaction
from service.observability.metrics import Metrics
from service.ports import Models
from tests.support.memory_log import MemoryBroker
from tests.unit.service.test_runner import all_done, run_until, service


@pytest.mark.parametrize(("newest", "age"), [(at_us(86_400), 86_400), (at_us(-86_400), 0)])
def test_a_champion_is_as_old_as_the_newest_event_finds_it(newest: int, age: float) -> None:
    """A loop that follows a stream of another year dates its models by it."""
    registry = CollectorRegistry()
    model = AmountModel()
    model.created_at_us = at_us()
    Metrics(registry).models.serving(Models(model), newest)
    assert registry.get_sample_value("fraud_model_age_seconds") == age


def test_a_stream_of_another_year_is_neither_slow_nor_late() -> None:
    year, broker = 365 * 86_400, MemoryBroker()

    def produce(i: int) -> None:
        broker.produce(raw(transaction(i, event_time=at(i - year))), key=b"c", timestamp_us=at_us(i - year))

    produce(0)  # stands there when the service comes: nobody knows since when
    running, registry = service(broker)
    numbers = iter(range(1, 21))

    def all_came() -> bool:
        if not all_done(broker)():
            return False
        number = next(numbers, None)
        if number is not None:
            produce(number)
        return number is None

    run_until(running, all_came)
    assert registry.get_sample_value("fraud_transactions_total", {"action": "allow"}) == 21
    assert registry.get_sample_value("fraud_end_to_end_seconds_count") == 20
    assert registry.get_sample_value("fraud_end_to_end_seconds_bucket", {"le": "1.0"}) == 20
    assert registry.get_sample_value("fraud_behind_seconds") == 0
