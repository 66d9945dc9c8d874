"""The model directory: verified before use, swapped when proven, and the old one goes on otherwise."""

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fraud.bundle import BLESSED, MANIFEST, InvalidBundle
from fraud.features import SPEC
from service.adapters.model import Expected, ModelDirectory, SavedModel, load
from service.errors import Misconfigured
from tests.bundles import AMOUNT, AmountModel, fingerprint, serve, write_bundle

EXPECTED = Expected(
    features_fingerprint=fingerprint(),
    partitions=1,
    stage="pre_auth",
    base_currency="EUR",
    feature_names=tuple(SPEC.names),
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_bundle(root, 1)
    write_bundle(root, 2, half=100.0)
    return root


@pytest.fixture
def root(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path / "models")
    serve(tmp_path / "models", 1)
    return tmp_path / "models"


def directory(root: Path, results: list[str]) -> ModelDirectory:
    made = ModelDirectory(root, EXPECTED, batch_records=10, poll_seconds=60, swapped=results.append)
    made.open()
    return made


def test_a_loaded_model_scores_and_explains_as_its_formula(root: Path) -> None:
    features = np.zeros((5, SPEC.width), np.float32)
    features[:, AMOUNT] = [0, 10, 100, 500, 5000]
    model = load(root / "1", EXPECTED, batch_records=10)
    np.testing.assert_allclose(model.score(features)[0], AmountModel().score(features)[0], atol=1e-6)
    np.testing.assert_array_equal(model.explain(features)[:, AMOUNT], np.ones(5))


def test_a_promotion_swaps_and_a_rollback_swaps_back_from_memory(root: Path) -> None:
    results: list[str] = []
    models = directory(root, results)
    first = models.current().champion
    serve(root, 2, shadow=1)
    models.refresh()
    assert models.current().champion.version == 2
    assert models.current().shadow is not None
    serve(root, 1)
    models.refresh()
    assert models.current().champion is first
    assert models.current().shadow is None
    assert results == ["swapped", "swapped"]
    models.close()


def test_beside_those_that_serve_one_more_model_is_in_memory_at_most(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[SavedModel]] = []
    alive_while_loading: list[int] = []

    def watched(path: Path, expected: Expected, *, batch_records: int, shadow: bool = False) -> SavedModel:
        gc.collect()
        alive_while_loading.append(sum(model() is not None for model in held))
        made = load(path, expected, batch_records=batch_records, shadow=shadow)
        held.append(weakref.ref(made))
        return made

    monkeypatch.setattr("service.adapters.model.load", watched)
    write_bundle(root, 3)
    models = directory(root, [])
    for version in (2, 3, 1, 2):
        serve(root, version)
        models.refresh()
        assert models.current().champion.version == version
    assert alive_while_loading == [0, 1, 1, 1, 1]
    models.close()


def test_a_shadow_that_is_promoted_serves_at_once_and_must_be_blessed_for_it(root: Path) -> None:
    results: list[str] = []
    serve(root, 1, shadow=2)
    (root / "2" / BLESSED).unlink()
    models = directory(root, results)
    shadow = models.current().shadow
    assert shadow is not None
    serve(root, 2)
    models.refresh()
    assert models.current().champion.version == 1
    (root / "2" / BLESSED).touch()
    models.refresh()
    assert models.current().champion is shadow
    assert results == ["refused", "swapped"]
    models.close()


def unbless(path: Path) -> None:
    (path / BLESSED).unlink()


def cut_variables(path: Path) -> None:
    (path / "saved_model.pb").write_bytes(b"x")


def other_features(path: Path) -> None:
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**manifest, "features_fingerprint": "0" * 16}))


def other_currency(path: Path) -> None:
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**manifest, "base_currency": "USD"}))


def other_partitions(path: Path) -> None:
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**manifest, "partitions": 4}))


@pytest.mark.parametrize(
    "damage", [unbless, cut_variables, other_features, other_currency, other_partitions, shutil.rmtree]
)
def test_a_bad_bundle_is_refused_counted_and_the_old_one_goes_on(root: Path, damage: Callable[[Path], None]) -> None:
    results: list[str] = []
    models = directory(root, results)
    damage(root / "2")
    serve(root, 2)
    models.refresh()
    assert models.current().champion.version == 1
    assert results == ["refused"]
    models.close()


def test_golden_rows_that_differ_are_refused(tmp_path: Path) -> None:
    from fraud.bundle import checksum

    path = write_bundle(tmp_path, 3)
    with np.load(path / "golden.npz") as golden:
        arrays = {name: golden[name] for name in golden.files}
    arrays["score"] = arrays["score"] + 0.01
    np.savez(path / "golden.npz", **arrays)
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["files"]["golden.npz"] = checksum(path / "golden.npz")
    (path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InvalidBundle, match="golden rows differ"):
        load(path, EXPECTED, batch_records=10)


def test_nothing_to_serve_at_the_start_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no model was promoted yet"):
        directory(tmp_path, [])
