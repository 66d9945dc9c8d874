from pathlib import Path

import numpy as np

from fraud.risk import RiskTable, RiskTables, build_risk_table

DAY = 86_400_000_000


def test_a_label_received_after_the_table_takes_effect_is_not_in_it() -> None:
    ids = np.array([5, 5, 6, 6], np.uint64)
    received = np.array([2, 20, 2, 2], np.int64) * DAY
    table = build_risk_table(
        "merchant", ids=ids, times=np.ones(4, np.int64) * DAY, y=np.array([0, 1, 0, 1]), received=received,
        effective_from=10 * DAY, window=30 * DAY, strength=1.0,
    )  # fmt: skip
    assert table.prior == np.float64(1 / 3)
    assert np.allclose(table.rates(ids[[0, 2]]), [(0 + 1 / 3) / 2, (1 + 1 / 3) / 3])


def test_each_event_reads_the_newest_table_in_effect_at_its_time(tmp_path: Path) -> None:
    keys = np.array([7], np.uint64)
    tables = RiskTables(
        RiskTable("ip", start * DAY, keys, np.array([rate], np.float32), 0.5) for start, rate in ((10, 0.1), (20, 0.2))
    )
    tables.to_file(tmp_path)
    read = RiskTables.from_dir(tmp_path)
    times = np.array([9, 10, 19, 20, 20, 20], np.int64) * DAY
    ids = np.array([7, 7, 7, 7, 8, 0], np.uint64)
    found = read.lookup("ip", ids, times)
    assert np.array_equal(found, np.array([np.nan, 0.1, 0.1, 0.2, 0.5, np.nan], np.float32), equal_nan=True)
