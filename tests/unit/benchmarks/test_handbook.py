"""The handbook's protocol: its features as pandas computes them, and who is left out of a test."""

import numpy as np
import pandas as pd

from benchmarks.handbook.book import DELAY_DAYS, WINDOWS_DAYS, book_features
from benchmarks.handbook.protocol import TRAIN_FROM, WEEK_US, fold_of, measure
from training.evaluation.scores import DAY_US, Scored


def payments(count: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(7)
    seconds = np.sort(random.integers(0, 60 * 86_400, count))
    return pd.DataFrame(
        {
            "TX_DATETIME": pd.Timestamp("2018-04-01") + pd.to_timedelta(seconds, unit="s"),
            "CUSTOMER_ID": random.integers(0, 9, count),
            "TERMINAL_ID": random.integers(0, 7, count),
            "TX_AMOUNT": random.integers(1, 100, count).astype(float),
            "TX_FRAUD": random.integers(0, 2, count),
        }
    )


def rolling(rows: pd.DataFrame, by: str, column: str, days: int) -> pd.Series:
    """Sums over (t - days, t] by pandas itself, in the rows' order."""
    summed = rows.set_index("TX_DATETIME").groupby(by)[column].rolling(f"{days}D").sum()
    ordered = rows.sort_values([by, "TX_DATETIME"], kind="stable").index
    return pd.Series(summed.to_numpy(), index=ordered).sort_index()


def test_the_books_features_are_what_pandas_rolls() -> None:
    rows = payments().assign(one=1.0)
    features, kinds = book_features(rows)
    assert features.shape == (600, 15) == (len(rows), len(kinds))
    for place, days in enumerate(WINDOWS_DAYS):
        count = rolling(rows, "CUSTOMER_ID", "one", days)
        np.testing.assert_allclose(features[:, 3 + 2 * place], count)
        mean = rolling(rows, "CUSTOMER_ID", "TX_AMOUNT", days) / count
        np.testing.assert_allclose(features[:, 4 + 2 * place], mean, rtol=1e-5)
        delayed, frauds = (
            rolling(rows, "TERMINAL_ID", column, DELAY_DAYS + days) - rolling(rows, "TERMINAL_ID", column, DELAY_DAYS)
            for column in ("one", "TX_FRAUD")
        )
        np.testing.assert_allclose(features[:, 9 + 2 * place], delayed)
        np.testing.assert_allclose(features[:, 10 + 2 * place], (frauds / delayed).fillna(0), rtol=1e-5)


def test_a_rows_own_fraud_and_those_of_the_last_week_are_not_in_its_features() -> None:
    rows = payments()
    changed = rows.copy()
    late = changed["TX_DATETIME"] > pd.Timestamp("2018-05-10")
    changed.loc[late, "TX_FRAUD"] = 1 - changed.loc[late, "TX_FRAUD"]
    before, after = book_features(rows)[0], book_features(changed)[0]
    unaffected = (rows["TX_DATETIME"] <= pd.Timestamp("2018-05-17")).to_numpy()
    assert np.array_equal(before[unaffected], after[unaffected])
    assert not np.array_equal(before, after)


def test_customers_known_as_defrauded_by_a_test_day_are_left_out_from_then_on() -> None:
    # Days since the first of training: customer 1 is defrauded on day 3, customer 2 on day 9, customer 3 on day 16.
    day = np.array([0, 3, 9, 14, 14, 14, 15, 16, 16, 17, 20])
    customer = np.array([9, 1, 2, 1, 2, 3, 2, 2, 3, 2, 3], np.uint64)
    fraud = np.isin(np.arange(11), [1, 2, 8])
    fold = fold_of(0, TRAIN_FROM + day * DAY_US, customer, fraud)
    assert fold.train.tolist() == [0, 1]
    # Day 9 is known on day 17, the day after its week of delay.
    assert fold.test.tolist() == [4, 5, 6, 7, 8, 10]
    earlier = fold_of(1, TRAIN_FROM - WEEK_US + day * DAY_US, customer, fraud)
    assert earlier.test.tolist() == fold.test.tolist()


def test_a_perfect_ranking_measures_as_one_where_a_hundred_cards_a_day_are_bad() -> None:
    fraud = np.arange(400) % 2 == 0
    ids = np.arange(400, dtype=np.uint64)
    days = np.repeat([0, 1], 200) * DAY_US
    rows = Scored(np.zeros(400), fraud, days, np.ones(400, np.int64), ids, ids)
    assert measure(fraud.astype(np.float32), rows) == {"ap": 1.0, "auc": 1.0, "card_precision_100": 1.0}
