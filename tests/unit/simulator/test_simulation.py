from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from simulator.config import PRESETS, VERSION, SimulationConfig, preset
from simulator.event_table import EVENT_SCHEMA, TRUTH_SCHEMA
from simulator.fraud_patterns.catalogue import MULES, PATTERNS
from simulator.output.files import write_simulation
from simulator.simulation import Simulation, simulate

SMALL = SimulationConfig(transactions=20_000, seed=7, days=60)


@pytest.fixture(scope="module")
def small() -> Simulation:
    return simulate(SMALL)


@pytest.fixture(scope="module")
def crowded() -> Simulation:
    """Much fraud in little space, for statements about each pattern."""
    return simulate(SimulationConfig(transactions=120_000, seed=11, base_rate=0.02))


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_same_seed_gives_same_bytes_and_another_seed_does_not(tmp_path: Path, file_format: str) -> None:
    config = replace(SMALL, transactions=3_000)
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        write_simulation(simulate(replace(config, seed=seed)), tmp_path / name, file_format=file_format)  # type: ignore[arg-type]  # parametrised
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    other = hashes(tmp_path / "other")
    # The declaration says what the platform's fields are, whatever the seed.
    assert {name for name, digest in hashes(tmp_path / "one").items() if other[name] == digest} == {"platform.toml"}


def test_there_are_exactly_as_many_transactions_as_asked(small: Simulation) -> None:
    for count in (1, 2, 50, 1_234):
        assert simulate(replace(SMALL, transactions=count)).truth.num_rows == count
    kinds = small.events["type"].value_counts().to_pylist()
    assert {"values": "transaction", "counts": SMALL.transactions} in kinds


def test_events_follow_the_schema_in_time_order_within_the_period(small: Simulation) -> None:
    events = small.events
    assert events.schema.equals(EVENT_SCHEMA)
    assert small.truth.schema.equals(TRUTH_SCHEMA)
    times = events["event_time"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()
    first, last = pc.min_max(events["event_time"]).as_py().values()
    assert first.date() >= SMALL.start
    assert (last.date() - SMALL.start).days <= SMALL.days


def test_every_attempt_has_one_answer_after_it_and_ids_are_unique(small: Simulation) -> None:
    frame = small.events.select(
        ["type", "kind", "transaction_id", "outcome_id", "customer_id", "device_id"]
    ).to_pandas()
    frame["row"] = range(len(frame))
    attempts = frame[frame.type == "transaction"].set_index("transaction_id")
    outcomes = frame[frame.type == "outcome"]
    answers = outcomes[outcomes.kind.isin(["authorised", "declined"])].set_index("transaction_id")
    assert attempts.index.is_unique
    assert answers.index.is_unique
    assert outcomes.outcome_id.is_unique
    assert set(answers.index) == set(attempts.index)
    assert (answers.row > attempts.row.reindex(answers.index)).all()
    assert (answers.customer_id == attempts.customer_id.reindex(answers.index)).all()
    same_device = answers.device_id.fillna("") == attempts.device_id.reindex(answers.index).fillna("")
    assert same_device.all()


def test_retries_keep_the_order_and_count_attempts(small: Simulation) -> None:
    events = small.events
    frame = events.filter(pc.equal(events["type"], "transaction")).to_pandas()
    retried = frame[frame.attempt_no > 1]
    assert len(retried) > 100
    firsts = frame[frame.attempt_no == 1].set_index("order_id").amount
    assert (firsts.reindex(retried.order_id).to_numpy() == retried.amount.to_numpy()).all()
    assert not frame.duplicated(["order_id", "attempt_no"]).any()


def test_guests_are_known_by_their_email_hash(small: Simulation) -> None:
    frame = small.events.select(["is_guest", "customer_id", "email_hash", "account_created_at"]).to_pandas()
    guests = frame[frame.is_guest]
    assert guests.customer_id.nunique() > 100
    assert (guests.customer_id == guests.email_hash).mean() > 0.95
    assert guests.account_created_at.isna().all()


def test_no_event_is_older_than_its_account(small: Simulation) -> None:
    frame = small.events.select(["event_time", "account_created_at"]).to_pandas().dropna()
    assert (frame.event_time > frame.account_created_at).all()


def test_every_pattern_and_every_look_alike_appears(crowded: Simulation) -> None:
    counts = crowded.summary().by_pattern
    for pattern in PATTERNS:
        assert counts[pattern.name] > 50, pattern.name
        assert counts[pattern.twin] > 50, pattern.twin
    assert counts["friendly_fraud"] > 10
    assert counts["lone_fraud"] > 50
    assert counts[MULES.name] == 0


@pytest.mark.parametrize("name", ["probability", "probability_own"])
def test_the_true_probability_is_calibrated(crowded: Simulation, name: str) -> None:
    fraud, probability = crowded.attempts.fraud, getattr(crowded, name)
    edges = np.array([0.002, 0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.9])
    cell = np.digitize(probability, edges)
    episode = np.where(crowded.attempts.episode == 0, np.arange(len(fraud)), crowded.attempts.episode)
    for value in range(len(edges) + 1):
        rows = cell == value
        # Attempts of one episode share their reading, so the error shrinks with episodes, not with attempts.
        _, inverse = np.unique(episode[rows], return_inverse=True)
        excess = np.bincount(inverse, weights=(fraud - probability)[rows])
        assert abs(excess.sum()) <= 4 * np.sqrt((excess**2).sum()) + 1e-9, (value, rows.sum())


def test_ordinary_traffic_is_rarely_fraud_and_not_beyond_suspicion(crowded: Simulation) -> None:
    ordinary = crowded.attempts.kind == 0
    assert 0 < crowded.attempts.fraud[ordinary].mean() < 0.2 * crowded.attempts.fraud.mean()
    assert crowded.probability[ordinary].max() > 0.05


@pytest.mark.parametrize("name", PRESETS)
def test_bayes_optimal_average_precision_leaves_room_and_hope(name: str) -> None:
    for config in preset(name, source=SimulationConfig(transactions=150_000, seed=3)):
        summary = simulate(config).summary()
        # The design asks for 0.4 to 0.7; at this size chance moves it by a tenth, and half-turned signs tell less.
        assert summary.bayes_average_precision is not None
        assert 0.25 < summary.bayes_average_precision < 0.8, config
        assert 0.001 < summary.base_rate < 0.0065, config


def test_platforms_differ_in_countries_and_customers_and_share_the_rings() -> None:
    source, target = preset("positive", source=SimulationConfig(transactions=120_000, seed=5, base_rate=0.02))
    frames = []
    for config in (source, target):
        simulation = simulate(config)
        events = simulation.events
        frame = events.filter(pc.equal(events["type"], "transaction")).to_pandas()
        frame["pattern"] = simulation.truth["pattern"].to_pandas().to_numpy()
        frames.append(frame)
    shares = [frame.billing_country.value_counts(normalize=True) for frame in frames]
    assert shares[0]["DE"] > 1.5 * shares[1]["DE"]
    accounts = [set(frame[~frame.is_guest].customer_id) for frame in frames]
    assert not accounts[0] & accounts[1]
    assert not set(frames[0].card_id) & set(frames[1].card_id)
    rings = [frame[frame.pattern == "reshipping_ring"] for frame in frames]
    assert set(rings[0].device_id) & set(rings[1].device_id)
    assert set(rings[0].shipping_address_hash.dropna()) & set(rings[1].shipping_address_hash.dropna())


def test_mules_work_from_their_first_day_on_and_only_then() -> None:
    config = replace(SMALL, transactions=60_000, new_pattern_start=date(2025, 2, 10), new_pattern_share=1.0)
    truth = simulate(config).truth.to_pandas()
    mules = truth[truth.pattern == "gift_card_mule"]
    assert len(mules) > 30
    assert mules.event_time.min().date() >= date(2025, 2, 10)
    gifts = truth[truth.pattern == "company_gifts"]
    assert (gifts.event_time.dt.date < date(2025, 2, 10)).any()
    assert truth[truth.event_time.dt.date < date(2025, 2, 9)].pattern.ne("gift_card_mule").all()


def test_a_regime_change_leaves_the_past_as_it_was() -> None:
    config = SimulationConfig(transactions=60_000, seed=2, base_rate=0.02, platform="target")
    changed = simulate(replace(config, regime_change_at=0.875)).truth.to_pandas()
    late = changed.event_time.astype("int64") > changed.event_time.astype("int64").quantile(0.9)
    early = simulate(config).truth.to_pandas()
    share = {
        name: (frame.pattern == "card_trouble").mean() for name, frame in (("late", changed[late]), ("all", early))
    }
    assert share["late"] > 1.3 * share["all"]


def test_files_say_which_simulator_made_them(tmp_path: Path, small: Simulation) -> None:
    written: list[int] = []
    paths = write_simulation(small, tmp_path, progress=written.append)
    assert [path.name for path in paths] == [
        "events.parquet", "labels.parquet", "truth.parquet", "meta.json", "platform.toml",
    ]  # fmt: skip
    for path in paths[:3]:
        assert pq.read_schema(path).metadata[b"simulator-version"] == VERSION.encode()
    assert sum(written) == small.events.num_rows == pq.read_metadata(paths[0]).num_rows
    assert f'"version": "{VERSION}"'.encode() in paths[3].read_bytes()
    assert pq.read_table(paths[0]).equals(small.events)
