"""Counters of whole buckets, of merchants, bins and own fields: never below the window, at most a bucket above it."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud.decoding.batch import ENTITIES, Batch
from fraud.features.encoder import Encoder
from fraud.features.spec import SEEN
from fraud.history.history import History
from tests.support.history_logs import CONFIG, EVERYTHING, QUICK, logs
from tests.support.history_oracle import BUCKETED, OF_RINGS, OWN_ENTITIES, VALUES, WINDOWS, Attempt, Oracle

DAY, MONTH = WINDOWS["24h"], WINDOWS["30d"]


def measure(name: str, attempts: list[Attempt], told: list[str]) -> float:
    """What a counter says of exactly these attempts."""
    loud = [(a, status) for a, status in zip(attempts, told, strict=True) if not a.quiet]
    match name:
        case "attempts":
            return len(loud)
        case "declines":
            return sum(status == "declined" for _, status in loud)
        case "small":
            return sum(a.amount <= 2_000_000 for a, _ in loud)
        case "refunds":
            return sum(status == "refunded" for status in told)
        case _:
            spent = sum(a.amount for a, status in zip(attempts, told, strict=True) if status == "approved")
            return float(np.float32(spent / 1e6))


def counters() -> list[tuple[str, str, int]]:
    """Kind of counter, measure and window."""
    windowed = [
        (kind, f"{kind}_{name}", span) for kind in ("attempts", "declines", "spend") for name, span in WINDOWS.items()
    ]
    return [*windowed, ("small", "small_24h", DAY), ("refunds", "refunds_30d", MONTH)]


@QUICK
@given(logs())
def test_every_counter_lies_between_its_window_and_a_bucket_more_on_each_side(log: list[Batch]) -> None:
    encoder, oracle = Encoder(EVERYTHING, History(CONFIG)), Oracle(CONFIG)
    encoded = encoder.encode(Batch.concatenate(log))
    for row, one in enumerate(log):
        before, told = list(oracle.attempts), [a.told for a in oracle.attempts]
        if oracle.take(one)[0] != "score":
            continue
        now = oracle.attempts[-1]
        for entity in (*BUCKETED, *OWN_ENTITIES):
            mine = [(a, t) for a, t in zip(before, told, strict=True) if a.ids[entity] == now.ids[entity]]
            if not now.ids[entity] or not mine or now.time - max(a.counted for a, _ in mine) >= MONTH:
                continue
            # Among a log's first events the time may fall back; what was counted beyond it may be forgotten then.
            kept = [(a, t) for a, t in mine if entity not in a.forgotten]
            for kind, name, span in counters():
                found = encoded.features[row, EVERYTHING.names.index(f"{entity}.{name}")]
                bucket = span // 15
                most = measure(kind, *within(mine, now.time, -bucket, span + bucket))
                assert found <= most, (row, entity, name)
                if not encoded.late[row]:
                    assert found >= measure(kind, *within(kept, now.time, 0, span)), (row, entity, name)


@QUICK
@given(logs())
def test_how_often_a_value_was_seen_lies_within_the_same_bounds(log: list[Batch]) -> None:
    encoder, oracle = Encoder(EVERYTHING, History(CONFIG)), Oracle(CONFIG)
    encoded = encoder.encode(Batch.concatenate(log))
    for row, one in enumerate(log):
        before = [(a, a.told) for a in oracle.attempts]
        if oracle.take(one)[0] != "score":
            continue
        now = oracle.attempts[-1]
        for name, (window, span) in product(VALUES, (("24h", DAY), ("30d", MONTH))):
            found = encoded.features[row, EVERYTHING.names.index(f"seen.{name}_{window}")]
            if not now.ids[name]:
                assert np.isnan(found)
                continue
            mine = [(a, t) for a, t in before if a.ids[name] == now.ids[name]]
            kept = [(a, t) for a, t in mine if name not in a.forgotten]
            assert found <= len(within(mine, now.time, -span // 15, span + span // 15)[0]), (row, name, window)
            if not encoded.late[row]:
                assert found >= len(within(kept, now.time, 0, span)[0]), (row, name, window)


def is_counted_by_buckets(place: str, measure: str) -> bool:
    return place in (*BUCKETED, SEEN) or (place in OWN_ENTITIES and not measure.startswith(OF_RINGS))


def within(mine: list[tuple[Attempt, str]], time: int, youngest: int, oldest: int) -> tuple[list[Attempt], list[str]]:
    inside = [(a, status) for a, status in mine if youngest <= time - a.counted < oldest]
    return [a for a, _ in inside], [status for _, status in inside]


TIGHT = replace(CONFIG, max_entities=12, max_entries=20, max_bucketed=3, recent_capacity=8, tidy_every=5)


@QUICK
@given(logs(), st.data())
def test_eviction_happens_at_the_same_records_however_the_log_is_cut(log: list[Batch], data: st.DataObject) -> None:
    whole, pieces = Encoder(EVERYTHING, History(TIGHT)), Encoder(EVERYTHING, History(TIGHT))
    expected = whole.encode(Batch.concatenate(log)).features
    cuts = sorted(data.draw(st.sets(st.integers(1, len(log)), max_size=6)) | {0, len(log)})
    found = [pieces.encode(Batch.concatenate(log[a:b])).features for a, b in pairwise(cuts)]
    assert np.concatenate(found).tobytes() == expected.tobytes()
    left, right = whole.history.arrays(), pieces.history.arrays()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)
    assert whole.history.evictions == pieces.history.evictions


@QUICK
@given(logs(), st.data())
def test_restore_and_replay_give_the_arrays_of_an_uninterrupted_run(log: list[Batch], data: st.DataObject) -> None:
    config = data.draw(st.sampled_from([CONFIG, TIGHT]))
    whole = Encoder(EVERYTHING, History(config))
    expected = whole.encode(Batch.concatenate(log)).features
    first = Encoder(EVERYTHING, History(config))
    cut = data.draw(st.integers(1, len(log)))
    first.encode(Batch.concatenate(log[:cut]))
    kept = {name: array.copy() for name, array in first.history.arrays().items()}
    second = Encoder(EVERYTHING, History.from_arrays(config, kept))
    for one, row in zip(log[cut:], expected[cut:], strict=True):
        assert second.encode(one).features.tobytes() == row.tobytes()
    left, right = whole.history.arrays(), second.history.arrays()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)


@QUICK
@given(logs(), st.lists(st.integers(0, 2**64 - 1), min_size=len(ENTITIES) * 4, max_size=len(ENTITIES) * 4, unique=True))
def test_what_ids_are_called_makes_no_difference(log: list[Batch], names: list[int]) -> None:
    """Whatever the new hashes: high, low, of one tag; only equality counts."""
    batch = Batch.concatenate(log)
    known = sorted(set(batch.ids.ravel().tolist()) - {0})
    tags = {name & 0xFFFFFFFF for name in names}
    if len(tags) < len(names) or 0 in tags:  # partners are told apart by their low 32 bits
        return
    renamed = dict(zip(known, names, strict=False)) | {0: 0}
    ids = np.array([[renamed[i] for i in row] for row in batch.ids.tolist()], np.uint64)
    found = Encoder(EVERYTHING, History(CONFIG)).encode(replace(batch, ids=ids)).features
    assert found.tobytes() == Encoder(EVERYTHING, History(CONFIG)).encode(batch).features.tobytes()


@QUICK
@given(logs(), st.integers(1, 2**64 - 1))
def test_the_salt_makes_no_difference(log: list[Batch], salt: int) -> None:
    batch = Batch.concatenate(log)
    found = Encoder(EVERYTHING, History(TIGHT, salt)).encode(batch).features
    assert found.tobytes() == Encoder(EVERYTHING, History(TIGHT)).encode(batch).features.tobytes()


@settings(QUICK, max_examples=40)
@given(logs(), st.data())
def test_one_event_of_the_far_future_changes_nothing_for_entities_that_it_does_not_name(
    log: list[Batch], data: st.DataObject
) -> None:
    """A customer of its own, a merchant and bin of others: their counters go on as well, which `test_history` shows.

    Buckets count by the watermark, which one event more may keep from rising.
    """
    ahead = data.draw(st.sampled_from([3 * DAY, 365 * DAY, 170 * 365 * DAY]))
    place = data.draw(st.integers(0, len(log)))
    ids = np.where(np.isin(np.array(ENTITIES), BUCKETED), log[0].ids, np.zeros_like(log[0].ids))
    ids[0, 0] = 77
    odd = replace(
        log[0], transaction=np.array([77], np.uint64), order=np.zeros(1, np.uint64), kind=np.zeros(1, np.uint8),
        time=log[0].time + ahead, ids=ids, categories=np.zeros_like(log[0].categories),
        attributes=log[0].attributes * np.float32("nan"), own_ids=log[0].own_ids * 0,
    )  # fmt: skip
    config = replace(CONFIG, dedupe_hours=10_000)  # the watermark may follow an event sooner: no repeat shall tell
    encoded = Encoder(EVERYTHING, History(config)).encode(Batch.concatenate([*log[:place], odd, *log[place:]]))
    alone = Encoder(EVERYTHING, History(config)).encode(Batch.concatenate(log))
    assert np.delete(encoded.status, place).tobytes() == alone.status.tobytes()
    mine = [column for column, feature in enumerate(EVERYTHING.features) if not is_counted_by_buckets(*feature.source)]
    assert np.delete(encoded.features, place, 0)[:, mine].tobytes() == alone.features[:, mine].tobytes()
    assert not np.isinf(encoded.features).any()
