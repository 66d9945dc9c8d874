"""The loop's parts: when it runs, how it sees drift, when it rolls back, and what it reads."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fraud.decoding.validation import MAX_BYTES
from fraud.privacy.card_numbers import tokeniser
from runtime.errors import Misconfigured
from runtime.kafka.client import Cluster
from training.labels.store import RECORDS
from training.loop.config import HOUR_US, LoopConfig
from training.loop.feed import KafkaFeed
from training.loop.messages import DECISIONS, decisions_frame, labels_frame
from training.loop.monitoring.drift import Drift, measure, psi
from training.loop.monitoring.rollback import rollback_reason
from training.loop.record import all_records, failed, find_record, write_record
from training.loop.state import BegunRun, InvalidState, LoopState, ServingPeriod, load_state, save_state
from training.loop.triggers import due
from training.settings import load_settings

CONFIG = LoopConfig(interval=24 * HOUR_US, cooldown=6 * HOUR_US, new_frauds=30)
STATE = LoopState(runs=1, last_run=0, frauds_then=100, labels_then=500)
MOVED = Drift(features=0.5, worst="amount", scores=0.1, ks=0.1, domain=0.6)


def why(
    hours: float, *, frauds: int = 100, labels: int = 501, drift: Drift | None = None, state: LoopState = STATE
) -> str:
    return due(state, int(hours * HOUR_US), frauds=frauds, labels=labels, drift=drift, config=CONFIG) or ""


def test_the_first_run_and_an_unfinished_one_are_due_at_once() -> None:
    assert why(0, state=LoopState()) == "the first run"
    unfinished = STATE.model_copy(update={"unfinished": BegunRun(number=2, at=0, why="drift")})
    assert why(0, state=unfinished) == "drift"


@pytest.mark.parametrize(
    ("hours", "facts", "reason"),
    [
        (5, {"frauds": 200}, ""),  # cool-down
        (7, {"frauds": 129}, ""),
        (7, {"frauds": 130}, "30 new frauds"),
        (24, {}, "24 hours since"),
        (7, {"drift": MOVED}, "drift of features (index 0.50, most of all amount)"),
        (99, {"frauds": 130, "labels": 500, "drift": MOVED}, ""),  # nothing new to learn from
    ],
)
def test_a_run_is_due_by_time_new_frauds_or_drift_but_never_without_new_labels(
    hours: float, facts: dict[str, object], reason: str
) -> None:
    said = why(hours, **facts)  # type: ignore[arg-type]  # built by name
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


def test_state_survives_its_file_and_a_broken_file_is_named(tmp_path: Path) -> None:
    state = STATE.model_copy(update={"serving": ServingPeriod(version=3, since=7, former=2, promised={"recall": 0.5})})
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidState, match="is broken"):
        load_state(tmp_path)


def test_a_broken_record_of_a_run_is_named(tmp_path: Path) -> None:
    written = write_record(tmp_path, failed(BegunRun(number=1, at=0, why="drift"), "no labels"))
    assert find_record(tmp_path, 1) == all_records(tmp_path)[0]
    written.write_bytes(b"")
    for read in (lambda: find_record(tmp_path, 1), lambda: all_records(tmp_path)):
        with pytest.raises(InvalidState, match=r"record.json is broken \(1 errors\): remove it"):
            read()


def test_psi_is_small_without_a_move_and_grows_with_it_and_with_missing_values() -> None:
    random = np.random.default_rng(1)
    before, same, moved = random.normal(size=5_000), random.normal(size=5_000), random.normal(1, 1, 5_000)
    assert psi(before, same) < 0.02
    assert psi(before, moved) > 0.5
    assert psi(before, np.where(random.random(5_000) < 0.5, np.nan, same)) > 0.5


def test_drift_tells_a_moved_domain_from_a_steady_one() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(4_000, 5)).astype(np.float32)
    score = random.random(4_000)
    names = tuple("abcde")
    steady = measure(rows[:2000], rows[2000:], names=names, scores=(score[:2000], score[2000:]), seed=1)
    assert steady is not None
    assert steady.beyond(psi=0.25, auc=0.8) == ""
    other = rows[2000:] + np.array([2, 0, 0, 0, 0], np.float32)
    moved = measure(rows[:2000], other, names=names, scores=(score[:2000], score[2000:] ** 4), seed=1)
    assert moved is not None
    assert moved.domain > 0.85
    assert moved.worst == "a"
    assert "the domain" in moved.beyond(psi=0.25, auc=0.8)
    assert measure(rows[:10], rows, names=names, scores=(score[:10], score), seed=1) is None


def decisions(
    alerts: float, version: int, *, first: int, count: int = 2_000, shadow: float | None = None
) -> pd.DataFrame:
    random = np.random.default_rng(version)
    ids = np.arange(first, first + count)
    flagged = random.random(count) < alerts
    would = random.random(count) < (shadow or 0)
    frame = pd.DataFrame({"transaction": ids, "time": ids, "propensity": 1.0, "score": 0.1, "version": version})
    frame["action"] = frame["model_action"] = np.where(flagged, "review", "allow")
    frame["shadow_version"] = 0 if shadow is None else 1
    frame["shadow_action"] = "" if shadow is None else np.where(would, "review", "allow")
    return frame[list(DECISIONS)].astype(DECISIONS)


def judged(rows: pd.DataFrame, hits: float) -> pd.DataFrame:
    flagged = rows.loc[rows["action"] != "allow", "transaction"].to_numpy()
    said = np.where(np.arange(len(flagged)) % 100 < hits * 100, "unauthorised", "genuine")
    return pd.DataFrame({"transaction": flagged, "verdict": said, "source": "analyst"})


SERVING = ServingPeriod(version=2, since=0, former=1)
NO_LABELS = pd.DataFrame({"transaction": np.zeros(0, np.uint64), "verdict": [], "source": []})


@pytest.mark.parametrize(
    ("alerts", "shadow", "finding"),
    [
        (0.011, 0.01, None),  # about the same
        (0.20, 0.01, "approval fell"),
        (0.025, 0.01, "alerts went from"),
        (0.0, 0.01, "alerts went from"),
        (0.20, 0.20, None),  # the former champion would do the same: the world changed
    ],
)
def test_a_champion_goes_back_when_its_alerts_change_and_its_predecessors_would_not_have(
    alerts: float, shadow: float, finding: str | None
) -> None:
    both = pd.concat(
        [decisions(0.01, 1, first=0, count=8_000), decisions(alerts, 2, first=10_000, count=8_000, shadow=shadow)]
    )
    said = rollback_reason(both.reset_index(drop=True), NO_LABELS, SERVING)
    assert (said or "").startswith(finding or "")
    assert (said is None) == (finding is None)


def test_a_champion_that_brings_alerts_back_to_the_shops_budget_stays() -> None:
    both = pd.concat([decisions(0.08, 1, first=0), decisions(0.03, 2, first=10_000)], ignore_index=True)
    assert (rollback_reason(both, NO_LABELS, SERVING) or "").startswith("alerts went from")
    assert rollback_reason(both, NO_LABELS, SERVING, budget=0.03) is None
    assert (rollback_reason(both, NO_LABELS, SERVING, budget=0.08) or "").startswith("alerts went from")


def test_a_champion_goes_back_when_analysts_confirm_far_fewer_alerts() -> None:
    old, new = decisions(0.05, 1, first=0), decisions(0.05, 2, first=10_000)
    both = pd.concat([old, new], ignore_index=True)
    labels = pd.concat([judged(old, 0.6), judged(new, 0.1)], ignore_index=True)
    assert (rollback_reason(both, labels, SERVING) or "").startswith("analysts confirm")
    labels = pd.concat([judged(old, 0.6), judged(new, 0.5)], ignore_index=True)
    assert rollback_reason(both, labels, SERVING) is None


def test_too_few_decisions_say_nothing() -> None:
    both = pd.concat([decisions(0.01, 1, first=0), decisions(0.5, 2, first=10_000, count=50)], ignore_index=True)
    assert rollback_reason(both, NO_LABELS, SERVING) is None


def test_messages_off_the_contract_are_left_out_and_counted() -> None:
    good = {
        "schema_version": "1.0", "label_id": "a", "transaction_id": "t", "verdict": "genuine", "source": "analyst",
        "occurred_at": "2026-01-01T00:00:00Z", "received_at": "2026-01-02T00:00:00Z", "supersedes": None,
    }  # fmt: skip
    bad = [b"{", json.dumps(good | {"source": "friend"}).encode(), json.dumps(good | {"received_at": "today"}).encode()]
    frame, refused = labels_frame(arrived(*((0, value) for value in [json.dumps(good).encode(), *bad])))
    assert frame["label_id"].tolist() == ["a"]
    assert refused == 3
    frame, refused = decisions_frame([b"{", b"null"])
    assert (len(frame), refused) == (0, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"model_version": 2**63}, {"model_version": -1}, {"propensity": 0}, {"propensity": -1}, {"score": 1e300},
        {"shadow": {"model_version": 10**400, "score": 0.5, "action": "allow"}},
    ],
)  # fmt: skip
def test_a_decision_of_absurd_numbers_is_left_out(change: dict[str, object]) -> None:
    good = {"transaction_id": "t", "event_time": JUNE, "score": 0.5, "model_action": "allow", "action": "allow",
            "propensity": 1, "model_version": 1}  # fmt: skip
    frame, refused = decisions_frame([json.dumps(one).encode() for one in (good, good | change)])
    assert (len(frame), refused) == (1, 1)


def test_what_a_lot_sent_to_review_was_observed_for_certain_and_what_it_let_through_was_not() -> None:
    one = {"transaction_id": "t", "event_time": JUNE, "score": 0.5, "model_version": 1, "propensity": 0.01}
    looked_at = one | {"model_action": "allow", "action": "review"}
    let_through = one | {"transaction_id": "u", "model_action": "block", "action": "allow"}
    frame, _ = decisions_frame([json.dumps(each).encode() for each in (looked_at, let_through)])
    assert frame["propensity"].tolist() == [1.0, 0.01]


def arrived(*records: tuple[int, bytes]) -> pa.Table:
    rows = [
        {"partition": 0, "offset": i, "timestamp": at, "key": "t", "value": value}
        for i, (at, value) in enumerate(records)
    ]
    return pa.Table.from_pylist(rows, RECORDS)


def label(received_at: str, **changes: object) -> bytes:
    said = {
        "schema_version": "1.0", "label_id": "a", "transaction_id": "t", "verdict": "unauthorised",
        "source": "chargeback", "occurred_at": received_at, "received_at": received_at,
    }  # fmt: skip
    return json.dumps(said | changes).encode()


JUNE, SEPTEMBER = "2026-06-01T00:00:00Z", "2026-09-01T00:00:00Z"
IN_JUNE, IN_SEPTEMBER = 1_780_272_000_000_000, 1_788_220_800_000_000


def test_a_label_that_dates_itself_back_is_known_since_it_arrived_and_one_dated_ahead_since_it_says() -> None:
    frame, _ = labels_frame(
        arrived((IN_JUNE, label(SEPTEMBER, label_id="ahead")), (IN_SEPTEMBER, label(JUNE, label_id="back")))
    )
    assert frame.set_index("label_id")["received_at"].to_dict() == {"ahead": IN_SEPTEMBER, "back": IN_SEPTEMBER}


def test_a_later_twin_under_the_same_label_id_changes_nothing_however_early_it_claims_to_be() -> None:
    frame, refused = labels_frame(
        arrived((IN_SEPTEMBER, label(SEPTEMBER)), (IN_SEPTEMBER + 1, label(JUNE, verdict="genuine")))
    )
    assert frame["verdict"].tolist() == ["unauthorised"]
    assert refused == 0


@pytest.mark.parametrize(
    "changes",
    [{"schema_version": "9.0"}, {"label_id": "x" * 100_000}, {"supersedes": ""}, {"transaction_id": "a\0"}],
)
def test_what_the_contract_refuses_is_no_label(changes: dict[str, object]) -> None:
    assert labels_frame(arrived((0, label(JUNE, **changes))))[1] == 1


def test_settings_come_from_the_environment_and_wrong_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRAUD_LOOP_NEW_FRAUDS", "7")
    secret = tmp_path / "secret"
    secret.write_text("hush, hush, hush, hush\n", encoding="utf-8")
    monkeypatch.setenv("FRAUD_SECRET_FILE", str(secret))
    settings = load_settings()
    assert settings.loop_new_frauds == 7
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == "hush, hush, hush, hush"
    monkeypatch.setenv("FRAUD_LOOP_INTERVALL", "7")
    with pytest.raises(Misconfigured, match="FRAUD_LOOP_INTERVALL"):
        load_settings()
    monkeypatch.delenv("FRAUD_LOOP_INTERVALL")
    monkeypatch.setenv("FRAUD_LOOP_FOLDS", "1")
    with pytest.raises(Misconfigured, match="FRAUD_LOOP_FOLDS"):
        load_settings()


def test_decisions_keep_their_scores_and_what_is_too_large_only_its_size_and_hash() -> None:
    decision = {
        "transaction_id": "t", "event_time": "2026-01-05T10:00:00Z", "score": 0.4111111111111111,
        "model_action": "block", "action": "block", "propensity": 1.0, "model_version": 1,
    }  # fmt: skip
    values = [json.dumps(decision).encode(), b'{"card_id":"4111111111111111"}', b"4" * (MAX_BYTES + 1)]
    records = [SimpleNamespace(partition=0, offset=i, timestamp=0, key=b"c", value=v) for i, v in enumerate(values)]
    feed = KafkaFeed(None, Cluster("somewhere:1"), {}, tokeniser(b"secret"))
    kept = [record.value for record in feed._converted(records, "decisions", 0, began=0, arrived=0)]
    frame, refused = decisions_frame(kept)
    assert (frame["score"].to_list(), refused) == ([0.4111111111111111], 2)
    assert b"4111" not in kept[1]
    assert kept[2].startswith(b"262145 bytes, SHA-256 ")
