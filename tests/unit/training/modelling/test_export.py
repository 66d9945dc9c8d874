"""What is exported is what was trained, explains itself, and is either whole or not there."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fraud.decisions.policy import Policy
from fraud.features.risk_tables import RiskTable, RiskTables
from fraud.models.bundle import InvalidBundle, check_extremes, check_golden, read_golden, read_manifest, verify
from fraud.models.graph import ALLOWED, operations_of
from tests.support import toy_models as toy
from training.data.dataset import Identity
from training.modelling import export
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.export import Candidate, ExportError, ServingModule, export_bundle, golden_rows
from training.modelling.network import predict
from training.registry import versions as registry

IDENTITY = Identity("f" * 16, "a" * 16, sources=("simulator/1",))
POLICY = Policy.default("EUR").model_dump_json().encode()
ROWS = toy.target_test().features


@pytest.fixture(scope="module", params=["source_only", "boosted"])
def candidate(base: Base, request: pytest.FixtureRequest) -> Candidate:
    """A net, and a forest."""
    return adapt(toy.target_task(base), request.param, frauds_counted=12, rows_counted=300)


@pytest.fixture(scope="module")
def net(base: Base) -> Candidate:
    return adapt(toy.target_task(base), "source_only", frauds_counted=12, rows_counted=300)


def write(root: Path, candidate: Candidate, **changed: Any) -> int:  # noqa: ANN401  # arguments of export_bundle
    given: dict[str, Any] = {"identity": IDENTITY, "created_at": datetime(2026, 1, 2, tzinfo=UTC), "parent": 1}
    return export_bundle(root, candidate, policy=POLICY, **(given | changed))


@pytest.fixture(scope="module")
def bundle(candidate: Candidate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    return root / "candidates" / str(write(root, candidate))


def served(path: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outputs = tf.saved_model.load(str(path)).signatures["serve"](features=tf.constant(rows))
    return outputs["score"].numpy(), outputs["raw"].numpy()


def test_the_saved_model_scores_like_the_trained_one(bundle: Path, candidate: Candidate) -> None:
    score, raw = served(bundle, ROWS)
    logits = predict(candidate.scorer, ROWS)
    np.testing.assert_allclose(raw, 1 / (1 + np.exp(-logits)), atol=1e-5)
    np.testing.assert_allclose(score, 1 / (1 + np.exp(-candidate.calibration(logits))), atol=1e-5)
    assert score.min() < 0.05
    assert score.max() > 0.2


def test_a_batch_of_any_size_runs_the_one_traced_graph(candidate: Candidate, bundle: Path) -> None:
    module = ServingModule(candidate)
    loaded = tf.saved_model.load(str(bundle)).signatures["serve"]
    whole = served(bundle, ROWS[:700])[0]
    for size in (1, 2, 63, 64, 700):
        np.testing.assert_allclose(module.serve(tf.constant(ROWS[:size]))["score"], whole[:size], atol=1e-5)
        np.testing.assert_allclose(loaded(features=tf.constant(ROWS[:size]))["score"], whole[:size], atol=1e-5)
    assert module.serve.experimental_get_tracing_count() == 1
    assert loaded(features=tf.zeros((0, ROWS.shape[1])))["score"].shape == (0,)


def test_the_service_would_accept_the_bundle(bundle: Path) -> None:
    manifest = verify(bundle, features_fingerprint="f" * 16, partitions=1, stage="pre_auth", require_blessing=False)
    assert (manifest.version, manifest.parent, manifest.feature_names) == (1, 1, toy.NAMES)
    assert manifest.source_versions == ("simulator/1",)
    assert manifest.trained_on.rows == 300
    assert check_golden(bundle, manifest, lambda rows: served(bundle, rows)) == 0.0
    assert json.loads((bundle / "metrics.json").read_bytes())["labels"] == 300


def test_golden_rows_hold_the_extremes_beside_ordinary_ones(bundle: Path) -> None:
    golden = read_golden(bundle)
    assert len(golden.features) == 64 + 3
    assert np.isnan(golden.features).all(axis=1).any()
    assert (golden.features == 2**24 - 1).all(axis=1).any()
    assert np.isfinite(golden.score).all()
    assert ((golden.score >= 0) & (golden.score <= 1)).all()


def test_golden_rows_follow_the_seed_and_a_small_target_gives_what_it_has() -> None:
    np.testing.assert_array_equal(golden_rows(ROWS, seed=1), golden_rows(ROWS, seed=1))
    assert not np.array_equal(golden_rows(ROWS, seed=1), golden_rows(ROWS, seed=2), equal_nan=True)
    assert len(golden_rows(ROWS[:5], seed=1)) == 5 + 3


def test_the_same_candidate_gives_the_same_manifest_but_for_its_number(net: Candidate, tmp_path: Path) -> None:
    first, second = (write(tmp_path, net) for _ in range(2))
    one, other = (
        json.loads((tmp_path / "candidates" / str(v) / "manifest.json").read_bytes()) for v in (first, second)
    )
    assert (first, second) == (1, 2)
    assert one["files"]["golden.npz"] == other["files"]["golden.npz"]
    assert {k: v for k, v in one.items() if k not in {"version", "files"}} == {
        k: v for k, v in other.items() if k not in {"version", "files"}
    }


def test_risk_tables_travel_with_the_model(net: Candidate, tmp_path: Path) -> None:
    keys, risk = np.array([5, 9], np.uint64), np.array([[2, 3, 4], [5, 6, 7]], np.float32)
    tables = RiskTables([RiskTable("merchant", 100, keys, risk)])
    path = tmp_path / "candidates" / str(write(tmp_path, net, write_risk=tables.to_file))
    found = RiskTables.from_dir(path / "risk").lookup("merchant", np.array([9, 5], np.uint64), np.array([200, 200]))
    assert found.tolist() == [[5, 6, 7], [2, 3, 4]]


def nothing_is_left(root: Path) -> bool:
    return [path.name for path in root.rglob("*") if path.is_file() and path.name != ".lock"] == []


@pytest.mark.parametrize("where", ["saved model", "golden rows", "manifest", "rename"])
def test_a_failing_disk_leaves_no_half_version(
    where: str, net: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    places = {
        "saved model": (tf.saved_model, "save"),
        "golden rows": (np, "savez"),
        "manifest": (registry, "sync_tree"),
        "rename": (Path, "rename"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*places[where], full)
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path, net)
    assert nothing_is_left(tmp_path)
    assert registry.versions(tmp_path) == []
    assert write(tmp_path, net) == 1  # the number was not used up


def test_a_model_that_does_not_survive_its_export_is_no_version(
    net: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Drifting(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        """Scores a little higher every time it is asked."""

        def __init__(self) -> None:
            super().__init__()
            self.asked = 0

        def __call__(self, features: tf.Tensor) -> tf.Tensor:
            self.asked += 1
            return features[:, 0] * 0 + tf.constant(0.01 * self.asked)

    spoilt = replace(net, scorer=Drifting(), golden=np.ones((2, len(toy.NAMES)), np.float32))
    monkeypatch.setattr(export, "attribution", lambda _scorer, _reference: lambda features: features)
    with pytest.raises(ExportError, match="differs from the trained one"):
        write(tmp_path, spoilt)
    assert nothing_is_left(tmp_path)


def test_a_model_that_scores_nan_is_no_version(net: Candidate, tmp_path: Path) -> None:
    spoilt = replace(net, calibration=replace(net.calibration, height=float("nan")))
    with pytest.raises(ExportError, match="nan"):
        write(tmp_path, spoilt)
    assert nothing_is_left(tmp_path)


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from training.data.dataset import Identity
from training.modelling.export import write_version

def fill(path):
    (path / "half").write_text("written")
    os.kill(os.getpid(), signal.SIGKILL)

identity = Identity("f" * 16, "a" * 16)
write_version(Path(sys.argv[1]), "candidates", fill, {}, identity=identity, created_at=datetime.now(UTC))
"""


def test_a_killed_trainer_leaves_no_version_and_prune_clears_what_it_had_begun(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert registry.versions(tmp_path) == []
    assert list(tmp_path.rglob("half"))
    for path in (*tmp_path.rglob("*"), tmp_path):
        os.utime(path, (0, 0))  # a day later, and more
    registry.prune(tmp_path, keep=5)
    assert nothing_is_left(tmp_path)


@pytest.fixture(scope="module")
def explained(bundle: Path) -> tuple[np.ndarray, np.ndarray, Path]:
    """(risky rows, their contributions, the bundle)."""
    score = served(bundle, ROWS)[0]
    rows = ROWS[np.argsort(-score)[:60]]
    loaded = tf.saved_model.load(str(bundle)).signatures["explain"]
    return rows, loaded(features=tf.constant(rows))["contributions"].numpy(), bundle


def log_odds(path: Path, rows: np.ndarray) -> np.ndarray:
    score = served(path, rows)[0].astype(np.float64)
    return np.asarray(np.log(score) - np.log1p(-score))


def test_contributions_add_up_to_the_calibrated_log_odds_above_a_typical_payment(
    explained: tuple[np.ndarray, np.ndarray, Path], candidate: Candidate
) -> None:
    rows, contributions, path = explained
    gap = log_odds(path, rows) - contributions.sum(axis=1)
    if candidate.strategy == "boosted":
        # Trees measure against what their roots expect: one constant for all rows.
        np.testing.assert_allclose(gap, gap[0], atol=0.02)
    else:
        np.testing.assert_allclose(gap, log_odds(path, candidate.reference[None])[0], atol=0.15)


def test_removing_the_named_features_lowers_the_score_more_than_removing_others(
    explained: tuple[np.ndarray, np.ndarray, Path], candidate: Candidate
) -> None:
    rows, contributions, path = explained
    before = log_odds(path, rows)

    def drop(chosen: np.ndarray) -> float:
        """Mean fall of the log-odds when two features of each row become those of a typical payment."""
        changed = rows.copy()
        np.put_along_axis(changed, chosen, candidate.reference[chosen], axis=1)
        return float((before - log_odds(path, changed)).mean())

    named = np.argsort(-contributions, axis=1)[:, :2]
    rng = np.random.default_rng(1)
    others = [np.argsort(rng.random(rows.shape), axis=1)[:, :2] for _ in range(5)]
    assert drop(named) > 2 * max(float(np.mean([drop(other) for other in others])), 0.1)


def test_what_the_toy_fraud_is_made_of_is_named_and_noise_is_not(
    explained: tuple[np.ndarray, np.ndarray, Path],
) -> None:
    weight = dict(zip(toy.NAMES, np.abs(explained[1]).mean(axis=0), strict=True))
    assert weight["speed"] > 3 * weight["noise"]
    assert weight["absent"] < weight["speed"]


def test_the_order_of_reasons_is_stable(explained: tuple[np.ndarray, np.ndarray, Path]) -> None:
    rows, contributions, path = explained
    explain = tf.saved_model.load(str(path)).signatures["explain"]
    first = np.argsort(-contributions, axis=1, kind="stable")[:, :3]
    for cut in (1, 7):
        again = np.concatenate(
            [
                explain(features=tf.constant(rows[at : at + cut]))["contributions"].numpy()
                for at in range(0, len(rows), cut)
            ]
        )
        np.testing.assert_array_equal(np.argsort(-again, axis=1, kind="stable")[:, :3], first)


def test_what_the_service_would_refuse_is_not_exported(
    net: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("fraud.models.graph.ALLOWED", ALLOWED - {"MatMul"})
        with pytest.raises(ExportError, match=r"the operation 'MatMul'.* add it to fraud\.models\.graph\.ALLOWED"):
            write(tmp_path, net)
    with monkeypatch.context() as patch:
        # The net scores every row, whatever is in it; one that does not is a net whose scores are taken for more.
        patch.setattr("training.modelling.export.check_extremes", lambda path, width, serve: check_extremes(
            path, width, lambda rows: tuple(2 * score for score in serve(rows))
        ))  # fmt: skip
        with pytest.raises(ExportError, match=r"not within 0\.\.1: train it again; nothing was written"):
            write(tmp_path, net)
    assert nothing_is_left(tmp_path)


def test_a_bundle_is_signed_where_there_is_a_key(net: Candidate, tmp_path: Path) -> None:
    path = tmp_path / "candidates" / str(write(tmp_path, net, key="k" * 16))
    assert read_manifest(path, "k" * 16).version == 1
    with pytest.raises(InvalidBundle, match="FRAUD_BUNDLE_KEY is another one"):
        read_manifest(path, "j" * 16)


def test_the_check_of_the_graph_sees_every_operation_that_tensorflow_sees(bundle: Path) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    content = (bundle / "saved_model.pb").read_bytes()
    (meta,) = SavedModel.FromString(content).meta_graphs
    graph = meta.graph_def
    theirs = {f.signature.name.encode(): {node.op for node in f.node_def} for f in graph.library.function}
    theirs[b""] = {node.op for node in graph.node}
    assert dict(operations_of(memoryview(meta.SerializeToString()))) == theirs
