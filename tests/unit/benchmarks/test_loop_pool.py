"""Several worlds of the closed loop as one figure each."""

from dataclasses import replace

import pytest

from benchmarks.loop import pool
from local.demo.closed_loop.recall import Recall

WORLD = Recall(
    recall_before=0.8, recall_during=0.1, recall_after=0.2, recall_oracle=0.4, after_to_oracle=0.5,
    recall_unadapted=0.1, days_to_learn=10, days_to_recover=30, alert_share=0.04, promotions=3, frauds_after=100,
    swapped_under=5, lost=0, doubled=1,
)  # fmt: skip


def test_recall_is_of_all_frauds_together_and_counts_are_sums() -> None:
    other = replace(WORLD, recall_during=0.3, recall_after=0.8, recall_oracle=0.8, frauds_after=300, lost=2)
    figures = {figure.name: figure for figure in pool([WORLD, other])}
    assert figures["recall_after"].value == pytest.approx((20 + 240) / 400)
    assert figures["after_to_oracle"].value == pytest.approx((20 + 240) / (40 + 240))
    assert figures["recall_during"].value == pytest.approx(0.2)
    assert (figures["lost"].value, figures["doubled"].value, figures["frauds_after"].value) == (2, 2, 400)
    assert (figures["recall_after"].low, figures["recall_after"].high) == (0.2, 0.8)
