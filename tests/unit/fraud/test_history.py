import numpy as np
import pytest

from fraud.batch import Batch
from fraud.features import SPEC, Encoder
from fraud.history import History, HistoryConfig
from tests.unit.fraud.event_columns import HOUR, MINUTE, event

CONFIG = HistoryConfig(max_entities=60, max_entries=256, max_bucketed=8, recent_capacity=64, tidy_every=16)


def stream(count: int) -> Batch:
    """Attempts of ever new customers, so that every cap is passed."""
    return Batch.concatenate(
        event(
            f"t{i}", at=i * MINUTE, customer=f"c{i % 97}", card=f"k{i % 89}", device=f"d{i % 7}", merchant=f"m{i % 31}"
        )
        for i in range(count)
    )


def test_a_restored_history_goes_on_as_if_never_stopped_array_by_array() -> None:
    log = stream(500)
    whole = Encoder(SPEC, History(CONFIG))
    expected = whole.encode(log).features[301:]
    first = Encoder(SPEC, History(CONFIG))
    first.encode(log.take(slice(0, 301)))
    held = {name: array.copy() for name, array in first.history.arrays().items()}
    second = Encoder(SPEC, History.from_arrays(CONFIG, held))
    assert second.encode(log.take(slice(301, 500))).features.tobytes() == expected.tobytes()
    left, right = whole.history.arrays(), second.history.arrays()
    assert all(np.array_equal(left[name], right[name]) for name in left)


def test_eviction_keeps_the_caps_and_takes_the_oldest_last_event_first() -> None:
    encoder = Encoder(SPEC, History(CONFIG))
    encoder.encode(stream(481))
    slots = encoder.history.state.slots
    held = slots[slots["kind"] != 0]
    assert sum(encoder.history.evictions.values()) > 0
    assert len(held) <= CONFIG.max_entities + 13 * CONFIG.tidy_every
    assert held["last"].min() > stream(1).time[0] + 6 * HOUR


def test_eviction_happens_at_log_positions_whatever_the_batches() -> None:
    log = stream(400)
    whole, pieces = Encoder(SPEC, History(CONFIG)), Encoder(SPEC, History(CONFIG))
    whole.encode(log)
    for start in range(0, 400, 7):
        pieces.encode(log.take(slice(start, start + 7)))
    assert pieces.history.evictions == whole.history.evictions
    assert pieces.history.state.slots.tobytes() == whole.history.state.slots.tobytes()


def test_arrays_of_another_shape_are_refused() -> None:
    arrays = History(CONFIG).arrays()
    with pytest.raises(ValueError, match="array slots is missing"):
        History.from_arrays(CONFIG, {name: array for name, array in arrays.items() if name != "slots"})


@pytest.mark.parametrize(("name", "value"), [("horizon_days", 31), ("ring", 48), ("busy_days", 0), ("max_entities", 0)])
def test_a_configuration_out_of_range_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        HistoryConfig(**{name: value})
