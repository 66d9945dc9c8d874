"""Options of trees follow the data: few strong columns or many weak ones, rounds until later rows have enough."""

import numpy as np

from training.data.sample import Sample
from training.modelling.columns.raw import raw_columns
from training.modelling.trees.boosting import FEW_LABELS, BoostOptions
from training.modelling.trees.tree_choice import ENOUGH_FRAUDS, HALF, LATE, choose_options, options_alone

NARROW = BoostOptions(columns=0.01, threads=1)
WIDE = BoostOptions(columns=1.0, threads=1)
COLUMNS = 60
KINDS = ("number",) * COLUMNS


def platform(rows: int, *, strong: bool) -> Sample:
    """Fraud is told by two columns together, or by all of them a little."""
    random = np.random.default_rng(2)
    features = random.normal(size=(rows, COLUMNS)).astype(np.float32)
    both = 6.0 * (features[:, 3] > 0.8) * (features[:, 40] > 0.8)
    signal = both if strong else 0.5 * features.sum(axis=1)
    fraud = random.random(rows) < 1 / (1 + np.exp(5.0 - signal))
    return Sample(features, fraud.astype(np.int8), np.arange(rows))


def test_where_two_columns_tell_together_trees_see_many_of_them() -> None:
    sample = platform(6_000, strong=True)
    chosen = choose_options(sample, KINDS, seed=1, threads=1, grid=(NARROW, WIDE))
    assert chosen.columns == WIDE.columns


def test_rounds_stop_where_the_later_rows_have_enough() -> None:
    sample = platform(6_000, strong=True)
    slow, fast = (
        choose_options(sample, KINDS, seed=1, threads=1, grid=(BoostOptions(columns=1.0, learning_rate=rate),)).trees
        for rate in (0.02, 0.3)
    )
    assert fast < slow


def test_too_few_frauds_leave_the_default() -> None:
    sample = platform(6_000, strong=False)
    frauds = np.flatnonzero(sample.label == 1)
    few = sample.take(slice(0, int(frauds[int(ENOUGH_FRAUDS / LATE) - 8])))
    assert choose_options(few, KINDS, seed=1, default=HALF, grid=(WIDE,)).columns == HALF.columns


def test_a_handful_of_frauds_gets_shallow_trees() -> None:
    sample = platform(6_000, strong=False)
    frauds = np.flatnonzero(sample.label == 1)
    handful, more = (options_alone(sample.take(slice(0, int(frauds[n]))), KINDS, seed=1) for n in (20, 80))
    assert handful.leaves == FEW_LABELS.leaves < more.leaves


def test_raw_columns_are_the_payments_own() -> None:
    names = [
        "amount", "customer_attempts_1h", "merchant_risk_30d", "email_domain",
        "attribute_score", "attribute_card_txns_24h", "attribute_category", "attribute_category_seen_24h",
        "attribute_category_risk_30d", "attribute_store_attempts_1h", "attribute_store_risk_7d",
        "attribute_store_hours_since_last",
    ]  # fmt: skip
    raw = [names[column] for column in raw_columns(names)]
    assert raw == ["amount", "email_domain", "attribute_score", "attribute_card_txns_24h", "attribute_category"]
