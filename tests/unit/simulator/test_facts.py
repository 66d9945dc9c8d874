from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fraud.units import DAY_US
from simulator.config import SimulationConfig
from simulator.draws import mix, uniform_of
from simulator.simulation import simulate
from simulator.truth.observables import earlier, signatures, within_day

KEYS = st.lists(st.integers(-3, 5), max_size=40)


@given(KEYS)
def test_earlier_counts_former_occurrences(keys: list[int]) -> None:
    assert earlier(np.array(keys, np.int64)).tolist() == [keys[:i].count(key) for i, key in enumerate(keys)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4 * DAY_US)), max_size=40))
def test_within_day_counts_the_same_key_in_the_last_24_hours(events: list[tuple[int, int]]) -> None:
    events = sorted({(time, key) for key, time in events})
    times = np.array([time for time, _ in events], np.int64)
    keys = np.array([key for _, key in events], np.int64)
    expected = [
        sum(k == key and time - DAY_US <= t < time for t, k in events[:i] if (t, k) != (time, key))
        for i, (time, key) in enumerate(events)
    ]
    assert within_day(keys, times).tolist() == expected


def test_coarser_signatures_are_functions_of_finer_ones() -> None:
    levels = signatures(simulate(SimulationConfig(transactions=20_000, base_rate=0.02)).attempts)
    for fine, coarse in pairwise(levels):
        pairs = len(np.unique(np.stack([fine, coarse]), axis=1).T)
        assert pairs == len(np.unique(fine))


def test_signatures_know_only_the_past() -> None:
    attempts = simulate(SimulationConfig(transactions=5_000, base_rate=0.02)).attempts
    whole = signatures(attempts)
    half = signatures(attempts.take(np.arange(2_500)))
    assert (whole[:, :2_500] == half).all()


def test_hashes_are_stable_positive_and_spread() -> None:
    ids = np.arange(10_000, dtype=np.int64)
    hashed = mix(ids, 5)
    assert hashed[:3].tolist() == mix(ids[:3], 5).tolist()
    assert hashed.min() > 0
    assert len(np.unique(hashed)) == len(ids)
    assert not set(hashed.tolist()) & set(mix(ids, 6).tolist())
    assert abs(uniform_of(ids, 1).mean() - 0.5) < 0.02
