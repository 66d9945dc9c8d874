"""The warm-up: a first batch of made-up records, so that nothing is left to compile when the service is ready."""

from typing import Final

import numpy as np

from fraud.features.warming import RECORDS, TIME_US
from fraud.history.history import History, HistoryConfig
from service.pipeline import Pipeline
from service.ports import Float32s, Model, Models, Records

_PARTITION: Final = 0
"""Nothing is owned yet when this is done."""


class _Alarmed:
    """A model that is sure of fraud in everything, so that alerts are written and explained whatever it would say."""

    def __init__(self, model: Model) -> None:
        self.version, self.created_at_us = model.version, model.created_at_us
        self.policy, self.policy_version, self.risk = model.policy, model.policy_version, model.risk
        self.explain = model.explain
        self._score = model.score

    def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
        calibrated, raw = self._score(features)
        return np.ones_like(calibrated), np.ones_like(raw)


def warm_up(pipeline: Pipeline, models: Models, config: HistoryConfig) -> int:
    """Scores made-up records and restores from them, in a history that is thrown away.

    Returns:
        How many alerts were written; a test holds that the way to an alert is taken.
    """
    records = Records(
        partition=_PARTITION,
        offsets=range(len(RECORDS)),
        timestamps_us=[TIME_US] * len(RECORDS),
        keys=[None] * len(RECORDS),
        values=RECORDS,
        headers=[[("trace", b"1")]] * len(RECORDS),
    )
    shadow = None if models.shadow is None else _Alarmed(models.shadow)
    pipeline.adopt(_PARTITION, History(config), None)
    try:
        result = pipeline.process([records], Models(_Alarmed(models.champion), shadow), TIME_US)
        learnt = History(config).arrays()
        pipeline.adopt(_PARTITION, History.from_arrays(config, learnt), None)  # as from a snapshot, which is checked
        pipeline.learn(records)
    finally:
        del pipeline.partitions[_PARTITION]
    return sum(int(np.count_nonzero(scored.action)) for scored in result.scored)
