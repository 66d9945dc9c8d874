"""Measures that rules ask for beside a model's features."""

import numpy as np
import pytest

from fraud.controls.names import vocabulary_of
from fraud.decoding.batch import Batch, Kind
from fraud.features.encoder import SPEC, Encoder
from fraud.features.platform import STANDARD
from fraud.history.history import History, HistoryConfig
from tests.support.event_columns import MINUTE, event

CONFIG = HistoryConfig(max_entities=1 << 12, max_entries=1 << 12, max_bucketed=64, recent_capacity=1 << 10)
LOG = Batch.concatenate(
    event(
        f"t{i}", at=i * MINUTE, card=f"k{i % 3}", device="d", email=f"e{i % 2}", merchant="m", amount=5 + i,
        kind=Kind.DECLINED if i % 5 == 4 else Kind.TRANSACTION,
    )
    for i in range(30)
)  # fmt: skip


def test_every_measure_can_be_asked_for_and_neither_features_nor_history_change() -> None:
    sources = [name.source for name in vocabulary_of(STANDARD) if name.source is not None]
    plain, asking = Encoder(SPEC, History(CONFIG)), Encoder(SPEC, History(CONFIG))
    asking.ask(sources)
    expected, found = plain.encode(LOG), asking.encode(LOG)
    assert expected.asked.shape == (len(LOG), 0)
    assert found.asked.shape == (len(LOG), len(sources))
    assert found.features.tobytes() == expected.features.tobytes()
    before, after = plain.history.arrays(), asking.history.arrays()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    for column, feature in enumerate(SPEC.features):
        if feature.source in sources:
            same = found.asked[:, sources.index(feature.source)]
            assert np.array_equal(same, expected.features[:, column], equal_nan=True), feature.name


def test_a_measure_of_no_feature_is_what_the_history_says() -> None:
    encoder = Encoder(SPEC, History(CONFIG))
    encoder.ask([("email", "attempts_10min"), ("device", "first_7d")])
    asked = encoder.encode(LOG).asked
    assert asked[:3].tolist() == [[0, 0], [0, 1], [1, 2]]


def test_what_was_asked_for_is_replaced() -> None:
    encoder = Encoder(SPEC, History(CONFIG))
    encoder.ask([("email", "attempts_10min")])
    encoder.ask([])
    assert encoder.encode(LOG).asked.shape == (len(LOG), 0)


@pytest.mark.parametrize("source", [("device", "first_99d"), ("risk", "device_7d"), ("merchant", "first_7d")])
def test_no_other_measure_can_be_asked_for(source: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="the history has no measure"):
        Encoder(SPEC, History(CONFIG)).ask([source])
