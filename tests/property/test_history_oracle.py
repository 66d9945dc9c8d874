from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraud.batch import Batch, Kind
from fraud.feature_spec import Feature, FeatureSpec, valid_source
from fraud.features import Encoder, Status
from fraud.history import History, HistoryConfig
from fraud.kernel.layout import KINDS
from fraud.kernel.measures import MEASURES
from fraud.wording import Wording
from tests.property.history_oracle import DAY, HOUR, MINUTE, PARTNERS, Oracle
from tests.unit.fraud.event_columns import START, event

CONFIG = HistoryConfig(
    ring=8, degree_cap=2, busy_days=2, max_entities=4096, max_entries=8192, max_bucketed=64, recent_capacity=4096,
    tidy_every=7,
)  # fmt: skip
EVERYTHING = FeatureSpec(
    tuple(
        Feature(name=f"{kind}.{measure}", meaning="", source=(kind, measure), wording=Wording(""), group=kind)
        for kind in KINDS
        for measure in MEASURES
        if valid_source((kind, measure))
    )
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STEPS = [
    0,
    1,
    MINUTE,
    10 * MINUTE - 1,
    10 * MINUTE,
    HOUR,
    5 * HOUR,
    DAY - 1,
    DAY,
    7 * DAY,
    29 * DAY,
    30 * DAY,
    33 * DAY,
]
LATENESS = [0, 0, 0, 1, 10 * MINUTE, 20 * HOUR]


def _pick(pool: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *(f"{pool}{i}" for i in range(4))])


@st.composite
def logs(draw: Callable[..., object], most: int = 45) -> list[Batch]:
    """A log of attempts, outcomes, repeats and conflicts; some late, never by a day or more."""
    events: list[Batch] = []
    now = 0
    for number in range(draw(st.integers(1, most))):  # type: ignore[call-overload]  # hypothesis' draw is untyped here
        earlier = [e for e in events if e.kind[0] == Kind.TRANSACTION]
        what = draw(st.sampled_from(["new"] * 7 + ["outcome"] * 3 + ["repeat", "conflict"]))
        now += draw(st.sampled_from([0, 1, MINUTE, 10 * MINUTE] * 3 + STEPS))  # type: ignore[operator]
        if what == "new" or not earlier:
            events.append(_attempt(draw, number, now - draw(st.sampled_from(LATENESS))))  # type: ignore[operator]
            continue
        recent = [e for e in earlier if START + now - int(e.time[0]) < DAY]  # a later repeat is an event a day late
        old: Batch = draw(st.sampled_from(earlier if what == "outcome" or not recent else recent))  # type: ignore[assignment]
        if what != "outcome" and not recent:
            continue
        if what == "outcome":
            kind = draw(st.sampled_from(list(Kind)[1:]))
            events.append(replace(old, kind=np.array([kind], np.uint8), time=np.array([START + now])))
        elif what == "repeat":
            events.append(old)
        else:
            events.append(replace(old, amount=old.amount + 1))
    return events


def _attempt(draw: Callable[..., object], number: int, at: int) -> Batch:
    ids = {entity: draw(_pick(entity)) for entity in (*PARTNERS, "bin", "merchant")}
    ids["customer"] = ids["customer"] or "customer0"
    country = draw(_pick("country"))
    return event(
        f"t{number}",
        at=at,
        amount=draw(st.sampled_from([0.0, 0.5, 2.0, 10.0, 99.99, 12345.678901])),  # type: ignore[arg-type]
        order=draw(st.sampled_from([None, None, "o1", "o2"])),  # type: ignore[arg-type]
        categories={"shipping_country": country} if country else {},  # type: ignore[dict-item]
        integers={"is_merchant_initiated": draw(st.sampled_from([0, 0, 0, 1]))},  # type: ignore[dict-item]
        **ids,  # type: ignore[arg-type]
    )


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
            absent = [c for source, c in columns.items() if source[0] in PARTNERS and source not in expected]
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
def test_bucketed_counts_lie_between_the_window_and_the_window_with_a_bucket_more_on_each_side(
    log: list[Batch],
) -> None:
    encoder, oracle = Encoder(EVERYTHING, History(CONFIG)), Oracle(CONFIG)
    encoded = encoder.encode(Batch.concatenate(log))
    windows = {"10min": 10 * MINUTE, "1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
    for row, one in enumerate(log):
        before = list(oracle.attempts)
        statuses = [a.status for a in before]
        late = bool(encoded.late[row])
        if oracle.take(one)[0] != "score":
            continue
        now = oracle.attempts[-1]
        for entity in ("bin", "merchant"):
            loud = [
                (a, status)
                for a, status in zip(before, statuses, strict=True)
                if a.ids[entity] == now.ids[entity] and not a.quiet
            ]
            if not now.ids[entity] or not loud or now.time - max(a.time for a, _ in loud) >= 30 * DAY:
                continue
            for name, window in windows.items():
                width = window // 15
                exact = sum(0 <= now.time - a.time < window for a, _ in loud)
                most = sum(-width < now.time - a.time < window + width for a, _ in loud)
                found = encoded.features[row, EVERYTHING.names.index(f"{entity}.attempts_{name}")]
                assert found <= most
                assert late or found >= exact
                declined = encoded.features[row, EVERYTHING.names.index(f"{entity}.declines_{name}")]
                assert declined <= found


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
