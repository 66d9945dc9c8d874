"""The risk that a feature row holds: of the right entity, window and date, whatever the batches."""

import numpy as np

from fraud.decoding.batch import Batch, Kind, hash_id
from fraud.features.encoder import SPEC, Encoder
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskTable, RiskTables
from fraud.history.history import History, HistoryConfig
from tests.support.event_columns import DAY, START, event

SMALL = HistoryConfig(max_entities=4096, max_entries=8192, max_bucketed=64, recent_capacity=1024)
WIDTH = len(RISK_WINDOWS_DAYS)


def table(entity: str, day: int, name: str, *risks: float) -> RiskTable:
    """A table that holds from `day` on and knows one id."""
    keys, risk = np.array([hash_id(name)], np.uint64), np.array([risks], np.float32)
    return RiskTable(entity=entity, effective_from=START + day * DAY, keys=keys, risk=risk)


TABLES = RiskTables(
    [
        table("merchant", 10, "bad shop", 2, 3, 4),
        table("merchant", 20, "bad shop", 5, 6, 7),
        table("device", 10, "bad shop", 8, 9, 10),
    ]
)
LOG = [
    event("before any", at=10 * DAY - 1, merchant="bad shop"),
    event("first", at=10 * DAY, merchant="bad shop"),
    event("its outcome", at=10 * DAY, kind=Kind.DECLINED, merchant="bad shop"),
    event("last of the first", at=20 * DAY - 1, merchant="bad shop", device="other"),
    event("second", at=20 * DAY, merchant="bad shop"),
    event("late", at=15 * DAY, merchant="bad shop"),
    event("unknown shop", at=20 * DAY, merchant="good shop"),
    event("without a shop", at=20 * DAY),
]


def risks(features: np.ndarray, entity: str) -> list[list[float]]:
    columns = [SPEC.names.index(f"{entity}_risk_{days}d") for days in RISK_WINDOWS_DAYS]
    found: list[list[float]] = features[:, columns].tolist()
    return found


def test_each_row_holds_the_risks_of_its_own_entity_at_its_own_time() -> None:
    features = Encoder(SPEC, History(SMALL)).encode(Batch.concatenate(LOG), TABLES).features
    absent, average = [np.nan] * WIDTH, [1.0] * WIDTH
    of_shops = [absent, [2, 3, 4], absent, [2, 3, 4], [5, 6, 7], [2, 3, 4], average, absent]
    np.testing.assert_array_equal(risks(features, "merchant"), of_shops)
    of_devices = [*[absent] * 3, average, *[absent] * 4]
    np.testing.assert_array_equal(risks(features, "device"), of_devices)


def test_risk_depends_on_no_batch_and_changes_nothing_else() -> None:
    whole = Encoder(SPEC, History(SMALL)).encode(Batch.concatenate(LOG), TABLES).features
    one_by_one = Encoder(SPEC, History(SMALL))
    assert b"".join(one_by_one.encode(one, TABLES).features.tobytes() for one in LOG) == whole.tobytes()
    without = Encoder(SPEC, History(SMALL)).encode(Batch.concatenate(LOG)).features
    others = [column for column in range(SPEC.width) if "_risk_" not in SPEC.names[column]]
    assert without[:, others].tobytes() == whole[:, others].tobytes()
    assert np.isnan(np.array(risks(without, "merchant"))).all()
