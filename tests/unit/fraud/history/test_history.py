from dataclasses import replace

import numpy as np
import pytest

from fraud.decoding.batch import Batch, Kind
from fraud.features.encoder import SPEC, Encoder, Status
from fraud.history.history import History, HistoryConfig, history_fingerprint, most_bytes
from fraud.history.kernel.layout import AGREEING
from fraud.history.kernel.measures import AMOUNT_GAP, AMOUNT_SCORE
from fraud.history.kernel.ring import log_amount, write_amounts
from tests.support.event_columns import DAY, HOUR, MINUTE, event

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
        HistoryConfig(**{name: value})  # type: ignore[arg-type]  # some fields are names


SECOND = 1_000_000
YEARS = 174 * 365 * DAY
ROOMY = HistoryConfig(
    max_entities=1 << 12, max_entries=1 << 14, max_bucketed=1 << 6, recent_capacity=1 << 12, tidy_every=64
)


def shop(count: int, *, start: int = 0) -> list[Batch]:
    """A payment a minute of ten customers at one merchant."""
    return [event(f"t{start + i}", at=(start + i) * MINUTE, customer=f"c{i % 10}", merchant="m") for i in range(count)]


@pytest.mark.parametrize("place", [0, 3, 40])
def test_one_record_of_the_far_future_does_not_blind_a_history(place: int) -> None:
    """Not even as the first of all."""
    log = shop(300)
    odd = event("odd", at=YEARS, customer="odd", merchant="m")
    encoder = Encoder(SPEC, History(ROOMY))
    encoded = encoder.encode(Batch.concatenate([*log[:place], odd, *log[place:]]))
    assert encoded.ahead.sum() == (place > 0)
    assert encoded.late[-100:].sum() == 0
    last = dict(zip(SPEC.names, encoded.features[-1].tolist(), strict=True))
    assert last["merchant_attempts_24h"] >= 299 - 1
    assert last["customer_attempts_24h"] == 29
    again = encoder.encode(log[150])
    assert again.status[0] == Status.DUPLICATE
    watermark = encoder.history.watermark
    assert watermark is not None
    assert int(log[-1].time[0]) - 2 * AGREEING * MINUTE <= watermark <= int(log[-1].time[0])


def test_a_history_follows_its_log_over_a_gap_of_any_length() -> None:
    encoder = Encoder(SPEC, History(ROOMY))
    days = 40 * 24 * 60
    encoded = encoder.encode(Batch.concatenate([*shop(50), *shop(50, start=days)]))
    assert 0 < encoded.ahead.sum() < 2 * AGREEING
    last = dict(zip(SPEC.names, encoded.features[-1].tolist(), strict=True))
    assert last["customer_attempts_24h"] == 4
    assert encoder.history.watermark > int(event("x", at=days * MINUTE).time[0])  # type: ignore[operator]


def test_entities_of_a_wrong_clock_are_evicted_first() -> None:
    odd = [event(f"o{i}", at=YEARS, customer=f"odd{i}") for i in range(30)]
    good = [event(f"t{i}", at=i * MINUTE, customer=f"c{i}") for i in range(300)]
    mixed = [one for i, fine in enumerate(good) for one in ([fine, odd[i // 10]] if i % 10 == 5 else [fine])]
    encoder = Encoder(SPEC, History(CONFIG))
    encoder.encode(Batch.concatenate(mixed))
    slots = encoder.history.state.slots
    assert (slots["last"][slots["kind"] != 0] > YEARS).sum() <= CONFIG.tidy_every


def test_accounts_that_came_and_went_leave_whole_blocks_behind() -> None:
    """Ten thousand once-used accounts, forgotten; then regulars, whose rings need large blocks."""
    encoder = Encoder(SPEC, History(ROOMY))
    for first in range(0, 12_000, 1_000):
        encoder.encode(Batch.concatenate(event(f"t{i}", at=i, customer=f"c{i}") for i in range(first, first + 1_000)))
    for day in range(33, 37):  # others, while the sweep comes round
        later = [event(f"w{day}-{i}", at=day * DAY + i, customer=f"w{i}") for i in range(400)]
        encoder.encode(Batch.concatenate(later))
    log = [
        event(f"r{number}-{i}", at=40 * DAY + (number * 120 + i) * SECOND, customer=f"r{i}")
        for number in range(64)
        for i in range(120)
    ]
    encoder.encode(Batch.concatenate(log))
    slots = encoder.history.state.slots
    regulars = slots[(slots["kind"] == 1) & (slots["last"] >= log[0].time[0])]
    assert regulars["length"].tolist() == [64] * 120
    assert encoder.history.refused == 0


def test_a_ring_that_finds_no_room_is_counted() -> None:
    tight = replace(ROOMY, max_entries=64, tidy_every=8)
    encoder = Encoder(SPEC, History(tight))
    encoder.encode(Batch.concatenate(event(f"t{i}", at=i * SECOND, customer=f"c{i % 8}") for i in range(512)))
    assert encoder.history.refused > 0


def test_how_far_back_repeats_are_known_shrinks_when_room_is_short() -> None:
    roomy, tight = Encoder(SPEC, History(ROOMY)), Encoder(SPEC, History(replace(ROOMY, recent_capacity=60)))
    assert tight.history.dedupe_reach == DAY
    for encoder in (roomy, tight):
        encoder.encode(Batch.concatenate(shop(200)))
    assert roomy.history.dedupe_reach == DAY
    assert tight.history.dedupe_reach == pytest.approx(60 * MINUTE, abs=2 * AGREEING * MINUTE)
    remembered = tight.history.dedupe_reach // MINUTE - AGREEING
    assert tight.encode(shop(200)[200 - remembered]).status[0] == Status.DUPLICATE


def test_the_room_for_repeats_is_no_matter_of_models() -> None:
    assert history_fingerprint(HistoryConfig()) == history_fingerprint(HistoryConfig(recent_capacity=1 << 10))
    assert history_fingerprint(HistoryConfig()) != history_fingerprint(HistoryConfig(max_entities=1 << 10))


def test_what_a_history_takes_at_most_is_what_its_arrays_take() -> None:
    state = History(CONFIG).state
    assert most_bytes(CONFIG) == sum(array.nbytes for array in state)


def test_the_spread_of_a_months_payments_does_not_leave_its_integers() -> None:
    """A million payments of 100 units, half of them 200: n times the sum of squares is beyond 2**63."""
    values, n = np.zeros(64), 1_000_000
    low, high = int(log_amount(100_000_000)), int(log_amount(200_000_000))
    write_amounts(values, high, n, n // 2 * (low + high), n // 2 * (low * low + high * high))
    half = (high - low) / 2 / 1024
    assert values[AMOUNT_GAP] == pytest.approx(half)
    assert values[AMOUNT_SCORE] == pytest.approx(half / np.sqrt(half * half + 1 / 16))


def test_a_merchants_spend_does_not_wrap_however_absurd_the_amounts() -> None:
    """A thousand payments of 10**10 units are more micro-units than an int64 holds; each counts 2**43 at most."""
    encoder = Encoder(SPEC, History(ROOMY))
    for i in range(1_000):
        paid = event(f"t{i}", at=i * SECOND, customer=None, merchant="m", amount=1e10 - 1)
        encoder.encode(Batch.concatenate([paid, replace(paid, kind=np.array([Kind.AUTHORISED], np.uint8))]))
    row = encoder.encode(event("last", at=HOUR, customer=None, merchant="m")).features[0]
    spends = [row[i] for i, f in enumerate(SPEC.features) if f.source == ("merchant", "spend_24h")]
    assert not spends or spends[0] == pytest.approx(1_000 * 2**43 / 1e6)
    assert encoder.history.state.buckets["spend"].sum(axis=(0, 2)).min() >= 0
