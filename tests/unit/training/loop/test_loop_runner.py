"""Turns of the loop with a trainer that needs no training: decisions, announcements, and crashes at bad moments."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from fraud.contracts.outbound import Announcement
from runtime import model_registry
from runtime.errors import Unavailable
from runtime.event_tables import to_json
from tests.support.published_models import publish
from tests.support.shop_tables import T0, events_table, labels_table
from training.data.feature_context import FeatureContext
from training.data.files.json_lines import to_wire
from training.gate.rule import Finding, GateAnswer, Judgement
from training.labels.store import LedgerStore, Record
from training.loop.config import HOUR_US, LoopConfig
from training.loop.ledger_view import LedgerView
from training.loop.metrics import LoopMetrics
from training.loop.monitoring.drift import Drift
from training.loop.record import all_records
from training.loop.runner import Loop
from training.loop.state import BegunRun, LoopState, ServingPeriod, load_state
from training.loop.training_run import RunResult, Trainer
from training.registry import versions as registry

DAY = 24 * HOUR_US
NOW = T0 + 8 * DAY


@dataclass(frozen=True, slots=True)
class Ready(Trainer):
    """Publishes a ready-made candidate with a ready-made judgement, or dies first."""

    answer: GateAnswer = GateAnswer.ACCEPT
    check: str = "better"
    due: bool = False
    raises: bool = False
    alerts: tuple[float, float] | None = None
    dies: list[bool] = field(default_factory=list)
    seen: list[BegunRun] = field(default_factory=list)

    def run(self, view: LedgerView, state: LoopState, begun: BegunRun) -> RunResult:  # noqa: ARG002 - the trainer's signature
        self.seen.append(begun)
        if self.dies and self.dies.pop():
            raise KeyboardInterrupt
        findings = [Finding(self.check, self.answer, "because", {})]
        if self.alerts:
            shares = {"least_share": self.alerts[0], "most_share": self.alerts[1]}
            findings.append(Finding("volume", GateAnswer.ACCEPT, "as expected", shares))
        judgement = Judgement(self.answer, "because", tuple(findings), self.due, self.raises)
        champion = (
            registry.champion(self.root, registry.versions(self.root)[0].manifest.features_fingerprint)
            if (registry.versions(self.root))
            else None
        )
        return RunResult(publish(self.root, "amount"), champion, judgement, "ready", {"labels": 1}, {"recall": 0.5})


@dataclass(slots=True)
class Said:
    """Keeps announcements; dies on the first when told to."""

    all: list[Announcement] = field(default_factory=list)
    dies: bool = False
    away: int = 0

    def announce(self, announcement: Announcement) -> None:
        if self.dies:
            self.dies = False
            raise KeyboardInterrupt
        if self.away:
            self.away -= 1
            raise Unavailable("nobody answers")
        self.all.append(announcement)


class NoFeed:
    def pull(self, store: LedgerStore) -> int:  # noqa: ARG002 - the feed's signature
        return 0

    def close(self) -> None: ...


class Shop:
    """A loop over files that survive it."""

    def __init__(self, folder: Path, **config: object) -> None:
        self.folder, self.said = folder, Said()
        settings = {"cooldown": HOUR_US, "interval": 2 * HOUR_US, "watch": 0} | config
        self.trainer = Ready(folder / "models", FeatureContext(), LoopConfig(**settings))  # type: ignore[arg-type]  # built by name
        store = LedgerStore(folder / "ledger")
        table = events_table()
        times = table["event_time"].cast(pa.int64()).to_pylist()
        keys = table["customer_id"].to_pylist()
        rows = zip(times, keys, to_wire(table), strict=True)
        store.append("events", [Record(0, i, *row) for i, row in enumerate(rows)])

    def label(self, frauds: range, *, first: int = 0) -> None:
        table = labels_table(frauds=frauds, delay_days=0).append_column(
            "schema_version", pa.array(["1.0"] * len(frauds))
        )
        values = list(to_json(table))
        LedgerStore(self.folder / "ledger").append(
            "labels", [Record(0, first + i, NOW, "t", v) for i, v in enumerate(values)]
        )

    def loop(self) -> Loop:
        return Loop(
            feed=NoFeed(),
            store=LedgerStore(self.folder / "ledger"),
            trainer=self.trainer,
            announcer=self.said,
            metrics=LoopMetrics(CollectorRegistry()),
            folder=self.folder,
        )

    @property
    def champion(self) -> int | None:
        return registry.champion(self.trainer.root, self.loop().features)


def test_the_first_turn_runs_promotes_records_and_announces(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    done = shop.loop().turn(NOW)
    assert done.run is not None
    assert (done.run.decision, shop.champion) == ("promote", 1)
    assert [(a.type, a.version, a.former) for a in shop.said.all] == [("promotion", 1, None)]
    assert (tmp_path / "runs" / "00001" / "report.html").read_text(encoding="utf-8").count("because") >= 2
    state = load_state(tmp_path)
    assert (state.runs, state.frauds_then, state.unfinished) == (1, 5, None)


def test_no_run_without_new_labels_and_another_with_them(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    loop = shop.loop()
    loop.turn(NOW)
    assert loop.turn(NOW + DAY).run is None
    shop.label(range(5, 9), first=5)
    second = loop.turn(NOW + 2 * DAY).run
    assert second is not None
    assert (second.run, shop.champion) == (2, 2)
    assert shop.said.all[-1].former == 1


def test_a_refusal_keeps_the_champion_and_leaves_the_reason_beside_the_candidate(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    shop.loop().turn(NOW)
    shop.trainer = replace(shop.trainer, answer=GateAnswer.REFUSE, check="labels.fraud_rate")
    shop.label(range(5, 9), first=5)
    shop.loop().turn(NOW + DAY)
    assert shop.champion == 1
    assert {v.version: v.note for v in registry.versions(shop.trainer.root)}[2] == "refused: because"
    # Labels that looked wrong never become what later ones are compared with, unless a person says so.
    assert load_state(tmp_path).trusted == NOW
    shop.loop().trust()
    assert load_state(tmp_path).trusted == NOW + DAY


def test_a_run_killed_while_training_begins_again_with_the_same_facts(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    shop.trainer.dies.append(True)
    with pytest.raises(KeyboardInterrupt):
        shop.loop().turn(NOW)
    done = shop.loop().turn(NOW + 3 * DAY)
    assert shop.trainer.seen[0] == shop.trainer.seen[1]
    assert done.run is not None
    assert done.run.at_us == NOW
    assert shop.champion == 1


def test_a_run_killed_while_promoting_is_carried_out_without_training_again(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    shop.said.dies = True
    with pytest.raises(KeyboardInterrupt):
        shop.loop().turn(NOW)
    shop.loop().turn(NOW + DAY)
    assert len(shop.trainer.seen) == 1
    assert shop.champion == 1
    assert [a.version for a in shop.said.all] == [1]
    assert len(all_records(tmp_path)) == 1


def test_with_probation_an_accepted_version_shadows_and_is_dropped_when_nothing_was_seen_of_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, promotion="shadow", probation=2 * DAY)
    shop.label(range(5))
    shop.loop().turn(NOW)
    shop.label(range(5, 9), first=5)
    shop.loop().turn(NOW + DAY)
    slot = model_registry.read_slots(shop.trainer.root).root[shop.loop().features]
    assert (slot.champion, slot.shadow) == (1, 2)
    assert shop.said.all[-1].type == "shadow"
    shop.loop().turn(NOW + 4 * DAY)
    assert model_registry.read_slots(shop.trainer.root).root[shop.loop().features].shadow is None
    assert load_state(tmp_path).probation is None


def decided(shop: Shop, *, version: int, flagged: int, count: int = 600, first: int = 0, shadow: int = 0) -> None:
    """Appends decisions of a version, `flagged` of which go to review; the shadow would flag one in a hundred."""
    values = [
        {
            "transaction_id": f"d{i}", "event_time": "2023-11-20T00:00:00Z", "score": 0.5, "propensity": 1.0,
            "model_action": "review" if i - first < flagged else "allow",
            "action": "review" if i - first < flagged else "allow", "model_version": version,
            "shadow": {"model_version": shadow, "score": 0.5, "action": "review" if i % 100 == 0 else "allow"}
            if shadow else None,
        }
        for i in range(first, first + count)
    ]  # fmt: skip
    LedgerStore(shop.folder / "ledger").append(
        "decisions", [Record(0, first + i, NOW, "c", json.dumps(v).encode()) for i, v in enumerate(values)]
    )


def test_a_shadow_that_alerts_about_as_often_as_the_champion_takes_over_after_its_probation(tmp_path: Path) -> None:
    shop = Shop(tmp_path, promotion="shadow", probation=2 * DAY)
    shop.label(range(5))
    shop.loop().turn(NOW)
    shop.label(range(5, 9), first=5)
    shop.loop().turn(NOW + DAY)
    decided(shop, version=1, flagged=6, shadow=2)
    shop.loop().turn(NOW + 3 * DAY + HOUR_US)
    assert shop.champion == 2
    assert [(a.type, a.version) for a in shop.said.all] == [("promotion", 1), ("shadow", 2), ("promotion", 2)]
    assert "probation over 600 payments" in shop.said.all[-1].reason


def test_a_candidate_that_is_due_takes_over_after_a_probation_and_one_that_is_not_never_does(tmp_path: Path) -> None:
    shop = Shop(tmp_path, probation=2 * DAY)
    shop.label(range(5))
    shop.loop().turn(NOW)
    unsure = replace(shop.trainer, answer=GateAnswer.TOO_LITTLE_EVIDENCE)
    shop.trainer = unsure
    shop.label(range(5, 9), first=5)
    kept = shop.loop().turn(NOW + DAY).run
    assert kept is not None
    assert kept.decision == "keep"
    # It alerts five times less than the champion, as the gate expects of it.
    shop.trainer = replace(unsure, due=True, alerts=(0.008, 0.012))
    shop.label(range(9, 12), first=9)
    shadow = shop.loop().turn(NOW + 2 * DAY).run
    assert shadow is not None
    assert (shadow.decision, shadow.candidate) == ("shadow", 3)
    decided(shop, version=1, flagged=30, shadow=3)
    shop.loop().turn(NOW + 4 * DAY + HOUR_US)
    assert shop.champion == 3


def test_whoever_was_shown_to_be_best_stays_what_later_ones_are_held_against(tmp_path: Path) -> None:
    shop = Shop(tmp_path, keep_versions=1)
    shop.label(range(5))
    shop.loop().turn(NOW)
    assert load_state(tmp_path).best == 1
    for day, raises, best in ((1, False, 1), (2, False, 1), (3, True, 4)):
        shop.trainer = replace(shop.trainer, raises=raises)
        shop.label(range(5 + day, 6 + day), first=4 + day)
        loop = shop.loop()
        loop.turn(NOW + day * DAY)
        loop.tidy(NOW + day * DAY)
        assert load_state(tmp_path).best == best
        assert registry.find(shop.trainer.root, best)


def test_a_new_champion_that_alerts_as_rarely_as_the_gate_expected_is_not_rolled_back(tmp_path: Path) -> None:
    shop = Shop(tmp_path, watch=3 * DAY)
    shop.label(range(5))
    shop.loop().turn(NOW)
    shop.trainer = replace(shop.trainer, alerts=(0.005, 0.02))
    shop.label(range(5, 9), first=5)
    shop.loop().turn(NOW + DAY)
    decided(shop, version=1, flagged=60)
    decided(shop, version=2, flagged=6, first=600, shadow=1)
    assert shop.loop().turn(NOW + 2 * DAY).rolled_back is None
    assert shop.champion == 2


def test_a_new_champion_that_floods_the_analysts_goes_back_by_itself_and_this_is_announced(tmp_path: Path) -> None:
    shop = Shop(tmp_path, watch=3 * DAY)
    shop.label(range(5))
    shop.loop().turn(NOW)
    shop.label(range(5, 9), first=5)
    shop.loop().turn(NOW + DAY)
    assert shop.champion == 2
    slot = model_registry.read_slots(shop.trainer.root).root[shop.loop().features]
    assert slot.shadow == 1  # the former champion watches
    decided(shop, version=1, flagged=6)
    decided(shop, version=2, flagged=120, first=600, shadow=1)
    done = shop.loop().turn(NOW + 2 * DAY)
    assert (done.rolled_back or "").startswith("approval fell")
    assert shop.champion == 1
    said = shop.said.all[-1]
    assert (said.type, said.version, said.former) == ("rollback", 1, 2)
    assert {v.version: v.note for v in registry.versions(shop.trainer.root)}[2].startswith("rolled back: approval fell")
    assert shop.loop().turn(NOW + 2 * DAY + 12 * HOUR_US).rolled_back is None


def flooded(shop: Shop) -> Shop:
    """A shop whose second champion, promoted a day after the first, will flag twenty times as much."""
    shop.label(range(5))
    shop.loop().turn(NOW)
    shop.label(range(5, 9), first=5)
    return shop


def flood(shop: Shop) -> None:
    decided(shop, version=1, flagged=6)
    decided(shop, version=2, flagged=120, first=600, shadow=1)


def test_a_broker_that_is_away_for_the_announcement_does_not_switch_the_rollback_off(tmp_path: Path) -> None:
    shop = flooded(Shop(tmp_path, watch=3 * DAY))
    shop.said.away = 1
    shop.loop().turn(NOW + DAY)
    assert shop.champion == 2
    assert [a.version for a in shop.said.all] == [1]
    flood(shop)
    shop.said.away = 1
    done = shop.loop().turn(NOW + 2 * DAY)
    assert (done.rolled_back or "").startswith("approval fell")
    assert shop.champion == 1
    shop.loop().turn(NOW + 2 * DAY + HOUR_US)
    assert [(a.type, a.version, a.former) for a in shop.said.all] == [
        ("promotion", 1, None), ("promotion", 2, 1), ("rollback", 1, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("before", [True, False])
def test_a_crash_within_a_promotion_does_not_lose_who_served_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    shop = flooded(Shop(tmp_path, watch=3 * DAY))
    promote = registry.promote

    def dying(*args: object, **options: object) -> None:
        if not before:
            promote(*args, **options)  # type: ignore[arg-type]  # as given
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "promote", dying)
        with pytest.raises(KeyboardInterrupt):
            shop.loop().turn(NOW + DAY)
    shop.loop().turn(NOW + DAY + HOUR_US)
    assert shop.champion == 2
    assert (load_state(tmp_path).serving or ServingPeriod(version=9, since=0)).former == 1
    assert shop.said.all[-1].former == 1


@pytest.mark.parametrize("before", [True, False])
def test_a_crash_within_a_rollback_is_made_good_and_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    shop = flooded(Shop(tmp_path, watch=3 * DAY))
    shop.loop().turn(NOW + DAY)
    flood(shop)
    rollback = model_registry.rollback

    def dying(*args: object, **options: object) -> None:
        if not before:
            rollback(*args, **options)  # type: ignore[arg-type]  # as given
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model_registry, "rollback", dying)
        with pytest.raises(KeyboardInterrupt):
            shop.loop().turn(NOW + 2 * DAY)
    shop.loop().turn(NOW + 2 * DAY + HOUR_US)
    assert shop.champion == 1
    said = shop.said.all[-1]
    assert (said.type, said.version, said.former) == ("rollback", 1, 2)


def test_a_clock_that_is_a_year_ahead_erases_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    loop = shop.loop()
    before = [len(loop.store.read(kind)) for kind in ("events", "labels")]
    loop.tidy(NOW + 2_000 * DAY)
    assert [len(loop.store.read(kind)) for kind in ("events", "labels")] == before


def test_drift_without_new_labels_starts_no_run_and_asks_for_more_reviews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    loop = shop.loop()
    loop.turn(NOW)
    moved = Drift(features=0.5, worst="amount", scores=0.0, ks=0.0, domain=0.6)
    monkeypatch.setattr(Loop, "_drift", lambda _self, _view: moved)
    assert loop.turn(NOW + DAY).run is None
    assert load_state(tmp_path).sampling
    assert loop.metrics.sampling._value.get() == 1
    shop.label(range(5, 9), first=5)
    done = loop.turn(NOW + 2 * DAY)
    assert done.run is not None
    assert not load_state(tmp_path).sampling
    assert loop.metrics.sampling._value.get() == 0


def test_every_decision_is_announced_as_json_with_its_schema_version(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))
    shop.loop().turn(NOW)
    said = json.loads(shop.said.all[0].model_dump_json())
    assert said["schema_version"] == "1.0"
    assert (said["type"], said["model"], said["version"], said["run"]) == ("promotion", "fraud", 1, 1)


def test_what_cannot_be_learnt_is_a_failed_run_and_not_the_end(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    trainer = Trainer(tmp_path / "models", FeatureContext(), shop.trainer.config)
    shop.label(range(5))
    loop = shop.loop()
    loop.trainer = trainer
    done = loop.turn(NOW)
    assert done.run is not None
    assert (done.run.decision, done.run.candidate) == ("failed", None)
    assert "no base" in done.run.reason
