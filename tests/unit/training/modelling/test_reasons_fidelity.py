"""Reasons are true: take away what they name, and the score falls further than by taking away anything else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fraud.decisions.policy import Policy
from fraud.explanations.reasons import ReasonBuilder
from fraud.features.encoder import SPEC
from service.adapters.model_directory import Expected, SavedModel, load
from simulator.__main__ import config_of
from simulator.output.files import write_simulation
from simulator.simulation import simulate
from tests.support import toy_models as toy
from tests.support.reasons import named_columns
from training.data.dataset import Identity
from training.data.replayed_stream import build
from training.data.sample import Sample
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.export import export_bundle
from training.modelling.pretrain import pretrain
from training.modelling.strategies.task import Task

FLAGGED = 60
TELLER = ReasonBuilder(SPEC)
KINDS = tuple(feature.kind.value for feature in SPEC.features)
Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, Identity]:
    """Simulated payments with the project's own features and the truth as labels."""
    folder = tmp_path_factory.mktemp("shop")
    dials = {"transactions": 6_000, "days": 60, "seed": 3, "base_rate": 0.02}
    write_simulation(simulate(config_of("positive", "source", dials)), folder)
    data = build(folder / "events.parquet", folder / "labels.parquet")
    truth = pd.read_parquet(folder / "truth.parquet").set_index("transaction_id")["is_fraud"]
    fraud = truth.loc[list(data.transaction_ids)].to_numpy(np.int8)
    return Sample(data.features, fraud, data.time), data.identity


@pytest.fixture(scope="module")
def shop_base(shop: tuple[Sample, Identity]) -> Base:
    """A small base with the project's own features."""
    sample, _ = shop
    sizes = replace(toy.SIZES, teachers=1, steps=120)
    return pretrain(sample, sample.features[:1_000], names=SPEC.names, kinds=KINDS, seed=1, options=sizes)


@pytest.fixture(scope="module", params=["source_only", "boosted"])
def model(
    request: pytest.FixtureRequest,
    shop: tuple[Sample, Identity],
    shop_base: Base,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[SavedModel, Floats]:
    """A net and trees as bundles, read back as the service reads them, and the reference of their contributions."""
    sample, identity = shop
    task = Task(shop_base, sample.take(slice(0, 1_500)), sample.features, 1, toy.OPTIONS)
    candidate = adapt(task, request.param, frauds_counted=sample.frauds, rows_counted=len(sample))
    root = tmp_path_factory.mktemp("models")
    number = export_bundle(
        root,
        candidate,
        identity=identity,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        parent=None,
        policy=Policy.default("EUR").model_dump_json().encode(),
    )
    expected = Expected(identity.features_fingerprint, identity.platform, tuple(SPEC.names))
    loaded = load(root / "candidates" / str(number), expected, batch_records=10, shadow=True)
    return loaded, candidate.reference


def log_odds(model: SavedModel, features: Floats) -> npt.NDArray[np.float64]:
    score = np.clip(model.score(features)[0].astype(np.float64), 1e-9, 1 - 1e-9)
    return np.log(score / (1 - score))


def drop(
    model: SavedModel, reference: Floats, features: Floats, chosen: Callable[[int], npt.NDArray[np.intp]]
) -> float:
    """Mean fall of the log-odds when the chosen columns of each row become those of a typical payment."""
    changed = features.copy()
    for row in range(len(features)):
        columns = chosen(row)
        changed[row, columns] = reference[columns]
    return float(np.mean(log_odds(model, features) - log_odds(model, changed)))


def test_without_what_the_reasons_name_the_score_falls_further_than_without_as_many_others(
    model: tuple[SavedModel, Floats], shop: tuple[Sample, Identity]
) -> None:
    loaded, reference = model
    sample, _ = shop
    features = sample.features[np.argsort(-loaded.score(sample.features)[0], kind="stable")[:FLAGGED]]
    contributions = loaded.explain(features)
    told = [TELLER.reasons(row, why) for row, why in zip(features, contributions, strict=True)]
    named = [
        np.array([c for reason in told[i] for c in named_columns(TELLER, features[i], contributions[i], reason.code)])
        for i in range(FLAGGED)
    ]
    assert all(1 <= len(one) <= 5 for one in told)
    random = np.random.default_rng(0)
    others = [random.choice(SPEC.width, len(columns), replace=False) for columns in named]
    by_reasons = drop(loaded, reference, features, named.__getitem__)
    by_chance = max(drop(loaded, reference, features, others.__getitem__) for _ in range(5))
    assert by_reasons > 0.5
    assert by_reasons > 3 * max(by_chance, 0.0)


def test_the_same_payment_is_told_alike_alone_and_in_a_batch(
    model: tuple[SavedModel, Floats], shop: tuple[Sample, Identity]
) -> None:
    loaded, _ = model
    sample, _ = shop
    features = sample.features[np.argsort(-loaded.score(sample.features)[0], kind="stable")[:20]]
    together = loaded.explain(features)
    for row, why in zip(features, together, strict=True):
        alone = TELLER.reasons(row, loaded.explain(row[None])[0])
        among = TELLER.reasons(row, why)
        assert [(r.code, r.text) for r in alone] == [(r.code, r.text) for r in among]
