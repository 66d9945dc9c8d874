"""The model directory: verified before use, swapped when proven, and the old one goes on otherwise."""

import gc
import json
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraud.features.catalogue import history_config, spec_of
from fraud.features.encoder import SPEC, FeatureSpec, Stage, features_fingerprint
from fraud.features.platform import STANDARD, FieldKind, OwnField, Platform
from fraud.history.history import HistoryConfig
from fraud.models.bundle import BLESSED, MANIFEST, SIGNATURE, InvalidBundle, Manifest, checksum, verify
from fraud.models.serving import Slot
from local.testbed.bundles import AMOUNT, AmountModel, fingerprint, serve, write_bundle
from runtime.errors import Misconfigured
from runtime.platform_file import standing_for
from service.adapters.model_directory import Expected, ModelDirectory, SavedModel, load
from service.bootstrap import Domain, expected
from service.ports import Models
from service.settings import Settings

EXPECTED = Expected(fingerprint(), STANDARD, tuple(SPEC.names))


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


def watching(root: Path, wanted: Expected) -> ModelDirectory:
    return ModelDirectory(root, wanted, batch_records=10, poll_seconds=60, swapped=lambda _: None)


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

    monkeypatch.setattr("service.adapters.model_directory.load", watched)
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


def test_a_champion_made_for_other_fields_is_told_by_the_names_of_the_fields(root: Path) -> None:
    own = {name: OwnField(kind=FieldKind.NUMBER) for name in ("level", "weight")}
    shop = replace(EXPECTED, features_fingerprint="f" * 16, platform=Platform(fields=own))
    with pytest.raises(
        Misconfigured,
        match="champion 1 was made for none of fields level, weight that this platform has: serve it with",
    ):
        watching(root, shop).open()


def test_a_champion_whose_fields_are_not_declared_here_is_told_by_their_names(tmp_path: Path) -> None:
    shop = Platform(fields={"level": OwnField(kind=FieldKind.CATEGORY)}, partitions=3)
    write_bundle(tmp_path, 1, platform=shop)
    made_for = features_fingerprint(spec_of(shop), history_config(shop))
    (tmp_path / "serving.json").write_text(json.dumps({made_for: {"champion": 1}}))
    said = "champion 1 was made for partitions 3, which is 1 here; fields level that this platform lacks: "
    with pytest.raises(Misconfigured, match=said):
        watching(tmp_path, EXPECTED).open()


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


def test_closing_waits_for_a_load_in_hand(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = ModelDirectory(root, EXPECTED, batch_records=10, poll_seconds=0.02, swapped=lambda _: None)
    models.open()
    loading, may_end, whole = threading.Event(), threading.Event(), models._load

    def slow(slot: Slot) -> Models:
        loading.set()
        assert may_end.wait(60)
        return whole(slot)

    monkeypatch.setattr(models, "_load", slow)
    serve(root, 2)
    assert loading.wait(60)
    threading.Timer(0.2, may_end.set).start()
    models.close()
    assert models.current().champion.version == 2


def test_golden_rows_that_differ_are_refused(tmp_path: Path) -> None:
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


def reseal(path: Path, **changes: object) -> None:
    """Makes the manifest fit what lies in the folder now, as somebody who may write there can."""
    manifest = json.loads((path / MANIFEST).read_text())
    for name in manifest["files"]:
        manifest["files"][name] = checksum(path / name)
    (path / MANIFEST).write_text(json.dumps(manifest | changes))


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    flipped = bytearray(content)
    for place in rng.integers(len(content) * 8, size=int(rng.integers(1, 20))):
        flipped[place // 8] ^= 1 << place % 8
    return bytes(flipped)


DAMAGEABLE = ("golden.npz", "risk/merchant.npz", "policy.json", "saved_model.pb", "variables/variables.index",
              "variables/variables.data-00000-of-00001", "fingerprint.pb", MANIFEST)  # fmt: skip


@pytest.mark.parametrize("name", DAMAGEABLE)
@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_file_with_a_fitting_checksum_is_refused_in_one_line_or_does_no_harm(
    tmp_path: Path, with_risk: Path, name: str, damage: Callable[[bytes, np.random.Generator], bytes]
) -> None:
    rng = np.random.default_rng(len(name))
    features = np.zeros((3, SPEC.width), np.float32)
    refusals = []
    for turn in range(4 if name.startswith(("saved_model", "variables", "fingerprint")) else 25):
        path = tmp_path / str(turn) / "1"
        shutil.copytree(with_risk, path)
        (path / name).write_bytes(damage((path / name).read_bytes(), rng))
        if name != MANIFEST:
            reseal(path)
        try:
            model = load(path, EXPECTED, batch_records=10)
        except InvalidBundle as error:
            refusals.append(str(error))
        else:  # what was hit tells nothing: a date, a name
            assert np.isfinite(model.score(features)[0]).all()
    assert refusals or name == "fingerprint.pb"
    assert not [text for text in refusals if "\n" in text]
    assert not [text for text in refusals if "fraud-bundle-" in text], "the folder is named, not our copy of it"


@pytest.fixture(scope="module")
def with_risk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fraud.features.risk_tables import RiskTable, RiskTables

    path = write_bundle(tmp_path_factory.mktemp("damaged"), 1)
    keys, risk = np.arange(1, 9, dtype=np.uint64), np.full((8, 3), 2, np.float32)
    RiskTables([RiskTable("merchant", 100, keys, risk)]).to_file(path / "risk")
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["files"]["risk/merchant.npz"] = checksum(path / "risk" / "merchant.npz")
    (path / MANIFEST).write_text(json.dumps(manifest))
    return path


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_whatever_a_bundle_raises_is_refused_and_tried_again_with_pauses_until_it_can_be_used(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[str] = []
    clock, attempts = Clock(), []

    def breaking(path: Path, expected: Expected, **_: object) -> SavedModel:
        attempts.append(path.name)
        if len(attempts) < 4:
            raise KeyError("an output that is not there")
        return load(path, expected, batch_records=10)

    models = ModelDirectory(root, EXPECTED, batch_records=10, poll_seconds=60, swapped=results.append, monotonic=clock)
    models.open()
    monkeypatch.setattr("service.adapters.model_directory.load", breaking)
    serve(root, 2)
    tried = []
    for clock.now in range(0, 200, 2):
        models.look()
        tried.append(len(attempts))
    assert results == ["refused", "refused", "refused", "swapped"]
    assert [tried.index(n) * 2 for n in (1, 2, 3, 4)] == [0, 6, 22, 82], "after 5, 15 and 60 s"
    assert models.current().champion.version == 2
    models.close()


def test_the_watcher_outlives_any_error_and_sees_the_rollback(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[str] = []
    seen = threading.Event()

    def swapped(result: str) -> None:
        results.append(result)
        seen.set()

    models = ModelDirectory(root, EXPECTED, batch_records=10, poll_seconds=0.01, swapped=swapped)
    models.open()

    def broken(*_: object, **__: object) -> SavedModel:
        raise RuntimeError("whatever TensorFlow raises at a first call")

    with monkeypatch.context() as patch:
        patch.setattr("service.adapters.model_directory.load", broken)
        serve(root, 2)
        assert seen.wait(30)
    seen.clear()
    write_bundle(root, 3)
    serve(root, 3)
    assert seen.wait(30)
    assert results == ["refused", "swapped"]
    assert models.current().champion.version == 3
    models.close()


def test_the_time_since_the_last_look_grows_while_nobody_looks(root: Path) -> None:
    clock = Clock()
    models = ModelDirectory(root, EXPECTED, batch_records=10, poll_seconds=60, swapped=print, monotonic=clock)
    models.open()
    clock.now = 7.0
    assert models.unwatched() == 7.0
    assert models.stuck(7.0) is None
    assert models.stuck(6.0) == "the model directory was not looked at for 7 s"
    models.close()


def hostile(root: Path, operation: str) -> Path:
    """A bundle that scores as it should, and does one thing more."""
    import tensorflow as tf

    canary = root / "canary"

    def read(_: object) -> object:
        return tf.strings.length(tf.io.read_file(tf.constant(str(root / "secret"))))

    def write(_: object) -> object:
        with tf.control_dependencies([tf.io.write_file(str(canary), "x")]):
            return tf.constant(0)

    def python(_: object) -> object:
        return tf.numpy_function(lambda: np.int32(0), [], tf.int32)

    def restore(_: object) -> object:
        with tf.control_dependencies([tf.raw_ops.SaveV2(
            prefix=str(canary), tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
        )]):  # fmt: skip
            return tf.constant(0)

    (root / "secret").write_text("secret")
    deed = {"ReadFile": read, "WriteFile": write, "PyFunc": python, "SaveV2": restore}[operation]
    return write_bundle(root, 1, deed=deed)


@pytest.mark.parametrize("operation", ["ReadFile", "WriteFile", "PyFunc", "SaveV2"])
def test_a_graph_that_does_more_than_compute_is_refused_before_anything_of_it_runs(
    tmp_path: Path, operation: str
) -> None:
    path = hostile(tmp_path, operation)
    (tmp_path / "canary").unlink(missing_ok=True)
    with pytest.raises(InvalidBundle, match=f"holds the operation '{operation}'"):
        load(path, EXPECTED, batch_records=10)
    assert not list(tmp_path.glob("canary*"))


def test_with_a_key_only_manifests_signed_under_it_are_taken(tmp_path: Path) -> None:
    key = "k" * 16
    signed, unsigned = write_bundle(tmp_path, 1, key=key), write_bundle(tmp_path, 2)
    expected = replace(EXPECTED, key=key)
    assert load(signed, expected, batch_records=10).version == 1
    assert load(signed, EXPECTED, batch_records=10).version == 1, "without a key nobody asks"
    with pytest.raises(InvalidBundle, match=r"manifest.hmac is missing.*FRAUD_BUNDLE_KEY"):
        load(unsigned, expected, batch_records=10)
    with pytest.raises(InvalidBundle, match="FRAUD_BUNDLE_KEY is another one"):
        load(signed, replace(EXPECTED, key="another key, long"), batch_records=10)
    shutil.copy(signed / SIGNATURE, unsigned / SIGNATURE)
    with pytest.raises(InvalidBundle, match="it was changed"):
        load(unsigned, expected, batch_records=10)
    assert key not in repr(expected)


def test_a_version_in_another_versions_folder_is_refused(root: Path) -> None:
    shutil.rmtree(root / "2")
    shutil.copytree(root / "1", root / "2")
    with pytest.raises(InvalidBundle, match="is of version 1: copy that version into its own folder"):
        load(root / "2", EXPECTED, batch_records=10)


def test_what_is_loaded_is_the_copy_that_was_verified(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped_in_between(path: Path, **demands: Any) -> Manifest:  # noqa: ANN401 - those of verify
        manifest = verify(path, **demands)
        shutil.rmtree(root / "1")
        shutil.copytree(root / "2", root / "1")
        return manifest

    monkeypatch.setattr("service.adapters.model_directory.verify", swapped_in_between)
    features = np.full((1, SPEC.width), 100, np.float32)
    score = load(root / "1", EXPECTED, batch_records=10).score(features)[0]
    np.testing.assert_allclose(score, AmountModel().score(features)[0], atol=1e-6)


def test_what_is_no_file_is_not_copied(root: Path) -> None:
    (root / "1" / "metrics.json").unlink()
    os.mkfifo(root / "1" / "metrics.json")
    with pytest.raises(InvalidBundle, match=r"metrics.json is no file"):
        load(root / "1", EXPECTED, batch_records=10)


@pytest.mark.parametrize("name", ["risk/\0.npz", "saved_model.pbtxt", "risk/none.npz", "variables/" + "x" * 300])
def test_a_manifest_that_lists_what_is_not_there_or_not_known_is_refused_in_one_line(root: Path, name: str) -> None:
    manifest = json.loads((root / "1" / MANIFEST).read_text())
    manifest["files"][name] = "0" * 64
    (root / "1" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InvalidBundle) as caught:
        load(root / "1", EXPECTED, batch_records=10)
    assert "\n" not in str(caught.value)


def test_a_bundle_for_pre_auth_that_holds_a_later_feature_is_refused(root: Path) -> None:
    early = tuple(replace(f, stage=Stage.POST_AUTH) if f.name == "amount" else f for f in SPEC.features)
    code = Domain(FeatureSpec(early), HistoryConfig())
    demanded = expected(Settings(), code)
    assert demanded.later == ("amount",)
    with pytest.raises(InvalidBundle, match="reads amount, which is not known yet at pre_auth"):
        load(root / "1", replace(demanded, features_fingerprint=fingerprint()), batch_records=10)
    assert expected(Settings(platform_file=standing_for(Platform(stage="post_auth"))), code).later == ()


@pytest.mark.parametrize("value", [float("nan"), 3e38, -3e38, -1.0])
def test_a_model_that_gives_no_score_for_absurd_rows_is_refused(tmp_path: Path, value: float) -> None:
    path = write_bundle(tmp_path, 1, unscored=value)
    with pytest.raises(InvalidBundle, match=r"not within 0\.\.1"):
        load(path, EXPECTED, batch_records=10)


def test_nothing_to_serve_at_the_start_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no model was promoted yet"):
        directory(tmp_path, [])
