import re
from pathlib import Path

import numpy as np
import pytest

from fraud.features.encoder import SPEC
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskBuilder, RiskTable, RiskTables, risk_measures

DAY = 86_400_000_000
A, B, C = 5, 6, 7
WIDTH = len(RISK_WINDOWS_DAYS)


def builder(ids: list[int], days: list[float], reported: list[float], strength: float = 1.0) -> RiskBuilder:
    """Payments of merchants at `days`, reported as fraud on the days of `reported` (0: never)."""
    times, received = (np.array([int(day * DAY) for day in values], np.int64) for values in (days, reported))
    return RiskBuilder(
        "merchant", ids=np.array(ids, np.uint64), times=times, fraud_received=received, strength=strength
    )


def risks(table: RiskTable, *ids: int) -> list[list[float]]:
    times = np.full(len(ids), table.effective_from)
    found: list[list[float]] = RiskTables([table]).lookup(table.entity, np.array(ids, np.uint64), times).tolist()
    return found


def test_a_report_received_after_the_table_takes_effect_is_not_in_it() -> None:
    payments = builder([A, A, B, B], [9, 9, 9, 9], [0, 20, 0, 9.5])
    # One known fraud in four payments: of two payments half a fraud is expected.
    assert np.allclose(risks(payments.table(10 * DAY, delay=0), A, B)[0][1:], 1)
    assert np.allclose(risks(payments.table(10 * DAY, delay=0), A, B)[1][1:], (1 + 1) / (0.5 + 1))
    assert np.allclose(risks(payments.table(21 * DAY, delay=0), A, B)[0][1:], 1)  # 1 of 1: the average


def test_payments_younger_than_the_delay_are_not_counted() -> None:
    payments = builder([A, B, B, B], [1, 8, 8, 9], [0, 8.5, 8.5, 9.5])
    assert len(payments.table(10 * DAY, delay=7 * DAY).keys) == 0
    assert payments.table(15 * DAY + 1, delay=7 * DAY).keys.tolist() == [B]


def test_a_window_holds_the_payments_of_so_many_days() -> None:
    # A was fraudulent 20 days ago, B 4 days ago, C lately.
    ids, days = [A, B, C, *range(10, 30)], [80.0, 96, 99.5, *[99.6] * 20]
    table = builder(ids, days, [81, 97, 99.7, *[0.0] * 20]).table(100 * DAY, delay=0)
    risky = [[risk > 1 for risk in row] for row in risks(table, A, B, C)]
    assert risky == [[False, False, True], [False, True, True], [True, True, True]]


@pytest.mark.parametrize("others", [50, 500, 5_000])
def test_the_risk_of_a_merchant_hardly_depends_on_how_many_labels_have_arrived(others: int) -> None:
    """A rate would be ten or a hundred times lower; that is a clock."""
    ids = np.concatenate([[A, A], np.arange(others) + 100]).tolist()
    table = builder(ids, [1.0] * (others + 2), [1.5, *[0.0] * (others + 1)], strength=0.1).table(2 * DAY - 1, delay=0)
    assert risks(table, A)[0] == pytest.approx([(1 + 0.1) / 0.1] * WIDTH, rel=0.3)


def test_without_any_known_fraud_everyone_is_average() -> None:
    table = builder([A, A, B], [1, 2, 3], [0, 0, 0]).table(30 * DAY, delay=0)
    assert risks(table, A, B) == [[1] * WIDTH] * 2


def test_at_or_below_the_average_everyone_is_average() -> None:
    ids, days = [A] * 90 + [B] * 2 + [C] * 8, [4.5] * 100
    # A has one fraud in ninety payments, B none, C nothing else.
    table = builder(ids, days, [4.6, *[0.0] * 91, *[4.6] * 8]).table(5 * DAY, delay=0)
    (clean, few, bad) = risks(table, A, B, C)
    assert clean == few == [1] * WIDTH
    assert bad == pytest.approx([(8 + 1) / (8 * 0.09 + 1)] * WIDTH)
    assert table.keys.tolist() == [C]


def test_absent_ids_have_no_risk_and_are_not_counted() -> None:
    table = builder([0, 0, A], [1, 1, 1], [2, 2, 0]).table(5 * DAY, delay=0)
    assert np.isnan(risks(table, 0)).all()
    assert len(table.keys) == 0


def test_payments_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order of time"):
        builder([A, B], [2, 1], [0, 0])


def test_each_event_reads_the_newest_table_in_effect_at_its_time(tmp_path: Path) -> None:
    keys = np.array([7], np.uint64)
    tables = RiskTables(
        [
            RiskTable("ip", 20 * DAY, keys, np.full((1, WIDTH), 0.2, np.float32)),
            RiskTable("ip", 10 * DAY, keys, np.full((1, WIDTH), 0.1, np.float32)),
            RiskTable("bin", 10 * DAY, keys[:0], np.zeros((0, WIDTH), np.float32)),
        ]
    )
    tables.to_file(tmp_path)
    read = RiskTables.from_dir(tmp_path)
    times = np.array([9, 10, 19, 20, 20, 20], np.int64) * DAY
    ids = np.array([7, 7, 7, 7, 8, 0], np.uint64)
    found = read.lookup("ip", ids, times)
    wanted = np.array([np.nan, 0.1, 0.1, 0.2, 1, np.nan], np.float32)
    assert np.array_equal(found, np.repeat(wanted[:, None], WIDTH, axis=1), equal_nan=True)
    assert read.lookup("bin", ids, times)[1:5].tolist() == [[1] * WIDTH] * 4
    assert np.isnan(read.lookup("device", ids, times)).all()


def test_a_file_that_holds_no_risk_tables_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "ip.npz", keys=np.zeros(1, np.uint64))
    with pytest.raises(ValueError, match="holds no risk tables"):
        RiskTables.from_dir(tmp_path)


def test_the_spec_reads_every_window_of_its_entities() -> None:
    for entity, (columns, windows) in SPEC.risk_columns().items():
        assert [SPEC.features[column].source[1] for column in columns] == list(risk_measures(entity))
        assert windows == list(range(WIDTH))


@pytest.mark.parametrize("seed", range(5))
def test_every_table_is_what_counting_payment_by_payment_gives(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count, strength, delay = 400, 0.3, 2 * DAY
    ids = draw.integers(0, 12, count).astype(np.uint64)
    times = np.sort(draw.integers(0, 60 * DAY, count))
    received = np.where(draw.random(count) < 0.2, times + draw.integers(0, 20 * DAY, count), 0)
    counted = RiskBuilder("ip", ids=ids, times=times, fraud_received=received, strength=strength)
    for date in draw.integers(5 * DAY, 70 * DAY, 20).tolist():
        wanted: dict[int, list[float]] = {}
        for place, days in enumerate(RISK_WINDOWS_DAYS):
            inside = [i for i in range(count) if ids[i] and date - delay - days * DAY < times[i] <= date - delay]
            frauds = [i for i in inside if 0 < received[i] < date]
            rate = len(frauds) / max(len(inside), 1)
            for one in {int(ids[i]) for i in frauds}:
                known = sum(ids[i] == one for i in frauds)
                expected = sum(ids[i] == one for i in inside) * rate
                risk = (known + strength) / (expected + strength)
                if np.float32(risk) > 1:
                    wanted.setdefault(one, [1.0] * WIDTH)[place] = risk
        table = counted.table(date, delay=delay)
        assert table.keys.tolist() == sorted(wanted)
        assert np.allclose(table.risk, np.array([wanted[key] for key in sorted(wanted)]).reshape(-1, WIDTH))


def test_files_of_own_fields_have_safe_names_whatever_the_fields_are_called(tmp_path: Path) -> None:
    names = ["attribute_../../etc/passwd", "attribute_a b", "attribute_ä", "merchant"]
    keys, high = np.array([7], np.uint64), np.full((1, WIDTH), 2, np.float32)
    RiskTables([RiskTable(name, DAY, keys, high) for name in names]).to_file(tmp_path / "risk")
    assert all(re.fullmatch(r"\w+\.npz", path.name) for path in (tmp_path / "risk").iterdir())
    read = RiskTables.from_dir(tmp_path / "risk")
    assert sorted(table.entity for table in read.tables) == sorted(names)
