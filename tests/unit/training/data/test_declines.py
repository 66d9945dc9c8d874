"""Who was declined is read off the customer's next payment, and off nothing that anybody reported."""

import numpy as np

from training.data.dataset import Dataset, Identity
from training.data.declines import COUNTER, REACH_US, declined
from training.data.sample import Floats


def payments(customer: list[int], counts: list[float], time: list[int] | None = None) -> Dataset:
    """Payments in the order of the log, by customer; `counts` are the declines known before each."""
    count = len(customer)
    ids = np.arange(1, count + 1, dtype=np.uint64)
    return Dataset(
        identity=Identity("f" * 16, "h" * 16),
        names=("amount", COUNTER),
        features=np.stack([np.ones(count), np.array(counts)], axis=1).astype(np.float32),
        time=np.arange(count, dtype=np.int64) if time is None else np.array(time, np.int64),
        amount=np.full(count, 10_000_000, np.int64),
        customer=np.array(customer, np.uint64),
        card=ids,
        transaction=ids,
        transaction_ids=ids.astype(str).astype(object),
        component=np.arange(count),
        label=np.full(count, 1, np.int8),
        received=np.zeros(count, np.int64),
        silent=np.zeros(count, np.bool_),
        chosen=np.zeros(count, np.bool_),
        propensity=np.ones(count, np.float32),
        segments={},
    )


def found(*given: object) -> list[float | None]:
    """With None for what nobody knows."""
    told: Floats = declined(payments(*given))  # type: ignore[arg-type]  # as `payments` takes them
    return [None if np.isnan(value) else float(value) for value in told]


def test_a_decline_shows_in_the_history_of_the_customers_next_payment() -> None:
    assert found([1, 2, 1, 2, 1], [0, 3, 1, 3, 1]) == [1, 0, 0, None, None]


def test_nobody_knows_without_a_customer_a_next_payment_or_a_counter() -> None:
    assert found([0, 0, 0], [0, 1, 2]) == [None] * 3
    assert found([1, 1], [0, float("nan")]) == [None] * 2
    other = payments([1, 1], [0, 1])
    assert np.isnan(declined(other.in_columns(("amount",)))).all()


def test_a_next_payment_beyond_the_counters_reach_tells_nothing() -> None:
    assert found([1, 1, 1], [0, 1, 2], [0, REACH_US - 1, 2 * REACH_US]) == [1, None, None]
