"""The own fields of simulated platforms: declared, deterministic, and as telling as is written."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fraud.features.platform import FieldKind, parse_platform
from simulator.config import SimulationConfig
from simulator.event_table import transaction_ids
from simulator.output.files import platform_toml
from simulator.own_fields.catalogue import SILENT, TELLING, Telling
from simulator.own_fields.columns import Column, Numbers, Words, json_objects
from simulator.own_fields.telling import Scene, own_device, own_mail
from simulator.simulation import Simulation, simulate

CONFIG = SimulationConfig(transactions=120_000, seed=11, base_rate=0.02)


@pytest.fixture(scope="module")
def source() -> Simulation:
    return simulate(replace(CONFIG, platform="source"))


@pytest.fixture(scope="module")
def target() -> Simulation:
    return simulate(replace(CONFIG, platform="target", leak=True))


def values(simulation: Simulation, name: str) -> np.ndarray:
    """As numbers, NaN where missing."""
    column = simulation.own.columns[name]
    if isinstance(column, Numbers):
        return np.where(column.missing, np.nan, column.values)
    return np.where(column.codes < 0, np.nan, column.codes)


def test_attributes_are_json_of_declared_fields_only(target: Simulation) -> None:
    platform = parse_platform(platform_toml(target.config), where="platform.toml")
    assert platform.name == "target"
    texts = [text for text in target.events["attributes"].slice(0, 20_000).to_pylist() if text is not None]
    seen: dict[str, set[type]] = {}
    for text in texts:
        for name, value in json.loads(text).items():
            seen.setdefault(name, set()).add(type(value))
    assert set(seen) == set(platform.fields)
    for name, kinds in seen.items():
        texty = platform.fields[name].kind in {FieldKind.CATEGORY, FieldKind.ENTITY}
        assert kinds <= ({str} if texty else {int, float}), name


def test_outcomes_carry_no_own_fields(source: Simulation) -> None:
    frame = source.events.slice(0, 10_000).select(["type", "attributes"]).to_pandas()
    assert frame[frame.type == "outcome"].attributes.isna().all()
    assert frame[frame.type == "transaction"].attributes.notna().all()


def test_platforms_share_some_fields_and_have_some_of_their_own(source: Simulation, target: Simulation) -> None:
    here, there = set(source.own.columns), set(target.own.columns)
    assert len(here & there) >= 5
    assert here - there
    assert there - here
    assert not set(source.own.columns["storefront_id"].table) & set(target.own.columns["storefront_id"].table)  # type: ignore[union-attr]  # words


@pytest.mark.parametrize("field", TELLING, ids=lambda field: field.name)
@pytest.mark.parametrize("concept", [0.0, 0.3, 1.0])
def test_a_telling_fields_evidence_is_that_of_the_distributions_it_was_drawn_from(
    field: Telling, concept: float, source: Simulation
) -> None:
    """E[P(v | fraud) / P(v | genuine) | genuine] = 1, and the other way round."""
    a = source.attempts
    ids = transaction_ids(a, 7)
    _, evidence = field.draw(Scene(a, ids, 7, int(a.time.min()), np.full(len(a), concept)))
    own = {"payment": np.ones(len(a), np.bool_), "mail": own_mail(a), "device": own_device(a)}[field.of]
    owner = {"payment": ids, "mail": a.email, "device": a.device}[field.of]
    for mine, ratio in ((own & ~a.fraud, np.exp(evidence)), (own & a.fraud, np.exp(-evidence))):
        # One value of an id is one draw, however often it is seen.
        _, first = np.unique(owner[mine], return_index=True)
        drawn = ratio[mine][first]
        assert drawn.mean() == pytest.approx(1, abs=4 * drawn.std() / np.sqrt(len(drawn)) + 1e-9), mine.sum()
        assert drawn.std() > 0.05


@pytest.mark.parametrize("name", ["processor_card_seen", "card_number_pasted", "checkout_seconds"])
def test_telling_fields_part_fraud_from_the_rest(name: str, target: Simulation) -> None:
    found = values(target, name)
    known = ~np.isnan(found)
    area = roc_auc_score(target.attempts.fraud[known], found[known])
    assert abs(area - 0.5) > 0.05
    turned = simulate(replace(CONFIG, platform="target", concept_shift=1.0))
    found, known = values(turned, name), ~np.isnan(values(turned, name))
    assert (roc_auc_score(turned.attempts.fraud[known], found[known]) - 0.5) * (area - 0.5) < 0


@pytest.mark.parametrize("name", ["coupon_used", "basket_weight_kg"])
def test_noise_tells_nothing(name: str, source: Simulation) -> None:
    found = values(source, name)
    known = ~np.isnan(found)
    assert abs(roc_auc_score(source.attempts.fraud[known], found[known]) - 0.5) < 0.03


def test_own_fields_make_the_best_ranking_better(source: Simulation) -> None:
    summary = source.summary()
    assert summary.bayes_average_precision is not None
    assert summary.bayes_average_precision_own is not None
    assert summary.bayes_average_precision_own > summary.bayes_average_precision + 0.05


def test_without_own_fields_there_are_none_and_the_rest_is_the_same(source: Simulation) -> None:
    bare = simulate(replace(CONFIG, platform="source", own_fields=False))
    assert bare.events["attributes"].null_count == bare.events.num_rows
    assert bare.events.drop_columns("attributes").equals(source.events.drop_columns("attributes"))
    assert (bare.probability == source.probability).all()
    assert bare.probability_own == pytest.approx(bare.probability)
    assert parse_platform(platform_toml(bare.config), where="x").fields == {}


def test_the_leak_is_there_only_when_asked_for_and_tells_the_label(source: Simulation, target: Simulation) -> None:
    assert "chargeback_ticket" not in source.own.columns
    filled = ~np.isnan(values(target, "chargeback_ticket"))
    fraud = target.attempts.fraud
    assert filled[fraud].mean() == pytest.approx(0.9, abs=0.03)
    assert filled[~fraud].mean() < 0.005
    assert (
        "leaks the label" in parse_platform(platform_toml(target.config), where="x").fields["chargeback_ticket"].meaning
    )


def test_the_processors_counts_are_missing_in_blocks(source: Simulation) -> None:
    days = (source.attempts.time - source.attempts.time.min()) // 86_400_000_000
    missing = np.isnan(values(source, "processor_card_seen"))
    by_day = np.bincount(days, weights=missing) / np.bincount(days)
    assert 0.02 < missing.mean() < 0.25
    assert ((by_day < 0.6) | (by_day > 0.4)).all()
    assert (by_day > 0.9).sum() >= 3


def test_some_fields_drift_with_time(source: Simulation, target: Simulation) -> None:
    serial = values(target, "checkout_serial")
    assert (np.diff(serial) > 0).all()
    codes = source.own.columns["user_agent"]
    assert isinstance(codes, Words)
    half = len(codes.codes) // 2
    early, late = set(codes.codes[: half // 4]), set(codes.codes[-half // 4 :])
    assert len(early & late) < 0.3 * len(early)


def test_thieves_prefer_other_storefronts_each_month(source: Simulation) -> None:
    store, fraud = values(source, "storefront_id").astype(int), source.attempts.fraud
    month = (source.attempts.time - source.attempts.time.min()) // (30 * 86_400_000_000)
    hottest = []
    for number in range(3):
        rows = month == number
        share = np.bincount(store[rows & fraud], minlength=40) / np.bincount(store[rows], minlength=40)
        hottest.append(set(np.argsort(-share)[:3]))
    assert hottest[0] != hottest[1] != hottest[2]


def test_a_mail_address_and_a_device_look_the_same_in_every_payment(source: Simulation) -> None:
    for name, ids in (("mail_local_part", source.attempts.email), ("screen_size", source.attempts.device)):
        codes = values(source, name)
        known = ids != 0
        _, first, place = np.unique(ids[known], return_index=True, return_inverse=True)
        assert (codes[known] == codes[known][first][place]).mean() > 0.999, name


def test_every_field_says_what_it_means() -> None:
    for field in (*TELLING, *SILENT):
        assert field.declared.meaning, field.name


def test_json_leaves_out_what_is_missing_and_escapes_texts() -> None:
    columns: dict[str, Column] = {
        "n": Numbers(np.array([1.5, 2.0]), np.array([False, True])),
        'w"': Words(np.array([-1, 0], np.int16), ('a"b',)),
    }
    rows = np.array([0, 1, 0])
    objects = json_objects(columns, rows, absent=np.array([False, False, True])).to_pylist()
    assert [None if text is None else json.loads(text) for text in objects] == [{"n": 1.5}, {'w"': 'a"b'}, None]
