from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fraud.decoding.batch import Batch
from fraud.features.encoder import Encoder, Status
from fraud.history.history import History
from tests.support.history_logs import CONFIG, EVERYTHING, QUICK, logs
from tests.support.history_oracle import OF_RINGS, OWN_ENTITIES, PARTNERS, Oracle


def is_of_own_ring(source: tuple[str, str]) -> bool:
    return source[0] in OWN_ENTITIES and source[1].startswith(OF_RINGS)


@QUICK
@given(logs())
def test_every_measure_of_rings_and_pairs_equals_brute_force_over_the_whole_log(log: list[Batch]) -> None:
    encoder, oracle = Encoder(EVERYTHING, History(CONFIG)), Oracle(CONFIG)
    columns = {feature.source: column for column, feature in enumerate(EVERYTHING.features)}
    encoded = encoder.encode(Batch.concatenate(log))
    for row, one in enumerate(log):
        status, expected = oracle.take(one)
        assert Status(int(encoded.status[row])).name.lower() == status
        for source, value in expected.items():
            found = encoded.features[row, columns[source]]
            close = 0.02 if source[1].startswith("amount") else 1e-6 * max(1.0, abs(value))
            assert np.isclose(found, value, rtol=0, atol=close, equal_nan=True), (row, source, found, value)
        if status == "score":
            ringed = [source for source in columns if source[0] in PARTNERS or is_of_own_ring(source)]
            absent = [columns[source] for source in ringed if source not in expected]
            assert np.isnan(encoded.features[row, absent]).all()


@QUICK
@given(logs(), st.data())
def test_any_batching_gives_the_same_bits_and_the_same_history(log: list[Batch], data: st.DataObject) -> None:
    whole = Encoder(EVERYTHING, History(CONFIG))
    expected = whole.encode(Batch.concatenate(log))
    pieces = Encoder(EVERYTHING, History(CONFIG))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(log)), max_size=6)) | {0, len(log)})
    parts = [pieces.encode(Batch.concatenate(log[a:b])) for a, b in pairwise(cuts)]
    for name in ("features", "status", "late"):
        assert np.concatenate([getattr(part, name) for part in parts]).tobytes() == getattr(expected, name).tobytes()
    left, right = whole.history.arrays(), pieces.history.arrays()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)


@QUICK
@given(logs())
def test_features_are_read_before_the_update_and_never_see_later_records(log: list[Batch]) -> None:
    everything = Encoder(EVERYTHING, History(CONFIG)).encode(Batch.concatenate(log)).features
    start = Encoder(EVERYTHING, History(CONFIG)).encode(Batch.concatenate(log[: len(log) // 2 + 1])).features
    assert everything[: len(start)].tobytes() == start.tobytes()


@QUICK
@given(logs(), logs())
def test_a_history_is_a_function_of_its_own_partition_alone(mine: list[Batch], other: list[Batch]) -> None:
    alone = Encoder(EVERYTHING, History(CONFIG)).encode(Batch.concatenate(mine)).features
    here, there = Encoder(EVERYTHING, History(CONFIG)), Encoder(EVERYTHING, History(CONFIG))
    rows = []
    for i in range(max(len(mine), len(other))):
        rows += [here.encode(e).features for e in mine[i : i + 1]]
        for e in other[i : i + 1]:
            there.encode(e)
    assert np.concatenate(rows).tobytes() == alone.tobytes()
