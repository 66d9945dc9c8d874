"""The model directory stays whole, whoever moves what."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fraud.models.bundle import BLESSED, REQUIRED, InvalidBundle, Manifest, verify, write_manifest
from fraud.models.serving import Area, read_serving
from runtime import model_registry
from runtime.model_registry import RegistryError
from training.registry import versions as registry

AT = "2026-01-01T00:00:00+00:00"
FEATURES = "f" * 16
CONTENT = b"\x12\x04\x12\x00\x3a\x00"
"""Of every file: a SavedModel with a graph and objects, both empty."""


def publish(
    root: Path,
    *,
    area: Area = "candidates",
    strategy: str = "joint",
    parent: int | None = None,
    key: str | None = None,
) -> int:
    built = registry.workspace(root)
    for name in REQUIRED:
        (built / name).write_bytes(CONTENT)
    files = {name: hashlib.sha256(CONTENT).hexdigest() for name in REQUIRED}

    def finish(version: int) -> None:
        manifest = Manifest(
            version=version,
            created_at=AT,
            features_fingerprint=FEATURES,
            history_fingerprint="h",
            feature_names=("a",),
            strategy=strategy,
            seed=1,
            parent=parent,
            prior=0.01,
            files=files,
        )
        write_manifest(built, manifest, key)

    return registry.publish(root, built, area, finish)


def test_a_promoted_version_serves_and_passes_the_services_verification(tmp_path: Path) -> None:
    version = publish(tmp_path)
    path = registry.promote(tmp_path, version, reason="first", at=AT)
    assert read_serving(tmp_path).slot(FEATURES).champion == version
    assert verify(path, features_fingerprint=FEATURES, partitions=1, stage="pre_auth").version == version
    assert not (tmp_path / "candidates" / str(version)).exists()


def test_numbers_are_unique_over_all_areas(tmp_path: Path) -> None:
    assert [publish(tmp_path, area="bases"), publish(tmp_path), publish(tmp_path)] == [1, 2, 3]
    registry.promote(tmp_path, 3, reason="", at=AT)
    assert publish(tmp_path) == 4


def test_rollback_returns_to_the_former_champion_and_marks_the_failed_one(tmp_path: Path) -> None:
    for _ in range(3):
        registry.promote(tmp_path, publish(tmp_path), reason="better", at=AT)
    assert model_registry.rollback(tmp_path, FEATURES, reason="hit rate fell", at=AT) == (3, 2)
    assert model_registry.rollback(tmp_path, FEATURES, reason="again", at=AT) == (2, 1)
    assert registry.champion(tmp_path, FEATURES) == 1
    notes = {v.version: v.note for v in registry.versions(tmp_path)}
    assert notes[3] == "rolled back: hit rate fell"
    with pytest.raises(RegistryError, match="version 1 serves by now, not 2"):
        model_registry.rollback(tmp_path, FEATURES, reason="", at=AT, failed=2)
    with pytest.raises(RegistryError, match="no former champion"):
        model_registry.rollback(tmp_path, FEATURES, reason="", at=AT)


def test_a_shadow_needs_a_champion_and_leaves_the_champion_alone(tmp_path: Path) -> None:
    first, second = publish(tmp_path), publish(tmp_path)
    with pytest.raises(RegistryError, match="no champion"):
        registry.promote(tmp_path, first, reason="", at=AT, shadow=True)
    registry.promote(tmp_path, first, reason="", at=AT)
    registry.promote(tmp_path, second, reason="", at=AT, shadow=True)
    slot = read_serving(tmp_path).slot(FEATURES)
    assert (slot.champion, slot.shadow) == (first, second)
    registry.promote(tmp_path, second, reason="", at=AT)
    slot = read_serving(tmp_path).slot(FEATURES)
    assert (slot.champion, slot.shadow) == (second, None)


def test_promotion_interrupted_before_serving_json_is_completed_by_a_second_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(tmp_path)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "write_slots", die)
        with pytest.raises(KeyboardInterrupt):
            registry.promote(tmp_path, version, reason="", at=AT)
    with pytest.raises(InvalidBundle):
        read_serving(tmp_path)
    registry.promote(tmp_path, version, reason="", at=AT)
    assert read_serving(tmp_path).slot(FEATURES).champion == version
    assert (tmp_path / str(version) / BLESSED).is_file()


@pytest.mark.parametrize("what", ["base", "absent", "damaged"])
def test_what_must_not_serve_is_refused_and_nothing_changes(tmp_path: Path, what: str) -> None:
    version = publish(tmp_path, area="bases" if what == "base" else "candidates")
    if what == "damaged":
        (tmp_path / "candidates" / str(version) / "policy.json").write_text("other", encoding="utf-8")
    with pytest.raises(RegistryError):
        registry.promote(tmp_path, version + (what == "absent"), reason="", at=AT)
    assert model_registry.read_slots(tmp_path).root == {}


def test_with_a_key_only_what_was_exported_under_it_is_promoted(tmp_path: Path) -> None:
    key = "k" * 16
    unsigned, signed = publish(tmp_path), publish(tmp_path, key=key)
    for version, other in ((unsigned, key), (signed, "another key of length")):
        with pytest.raises(RegistryError, match="FRAUD_BUNDLE_KEY"):
            registry.promote(tmp_path, version, reason="", at=AT, key=other)
    assert model_registry.read_slots(tmp_path).root == {}
    registry.promote(tmp_path, signed, reason="", at=AT, key=key)
    assert registry.champion(tmp_path, FEATURES) == signed


def test_a_refusal_leaves_its_reason_beside_the_candidate_until_it_is_promoted(tmp_path: Path) -> None:
    version = publish(tmp_path)
    registry.refuse(tmp_path, version, reason="worse", at=AT, evidence={"delta": -0.1})
    assert registry.versions(tmp_path)[0].note == "refused: worse"
    registry.promote(tmp_path, version, reason="forced", at=AT)
    assert registry.versions(tmp_path)[0].note == ""


def test_prune_keeps_what_serves_what_may_be_rolled_back_to_and_the_bases_of_both(tmp_path: Path) -> None:
    base = publish(tmp_path, area="bases", strategy="pretrain")
    publish(tmp_path, area="bases", strategy="pretrain")
    kept = [publish(tmp_path, parent=base) for _ in range(2)]
    candidates = [publish(tmp_path) for _ in range(3)]
    for version in kept:
        registry.promote(tmp_path, version, reason="", at=AT)
    assert registry.prune(tmp_path, keep=0) == [2, *candidates]
    assert [v.version for v in registry.versions(tmp_path)] == [base, *kept]


def test_prune_removes_workspaces_that_nobody_has_touched_for_a_day_whatever_process_made_them(tmp_path: Path) -> None:
    live = tmp_path / ".new-99999999-of-another-container"
    dead = registry.workspace(tmp_path)  # by this process id, which in another container is another program
    odd = tmp_path / ".new-by-somebody-else"
    for path in (live, odd):
        path.mkdir()
    (live / "variables").mkdir()
    for path in (live, dead, odd):
        os.utime(path, (0, 0))
    registry.prune(tmp_path, keep=1)
    assert live.is_dir()
    assert not dead.exists()
    assert not odd.exists()


PUBLISHER = """
import sys
from pathlib import Path
from tests.unit.training.registry.test_registry import AT, publish
from training.registry import versions as registry
for _ in range(8):
    registry.promote(Path(sys.argv[1]), publish(Path(sys.argv[1])), reason="", at=AT)
"""


def test_two_trainers_at_once_do_not_corrupt_the_directory(tmp_path: Path) -> None:
    trainers = [subprocess.Popen([sys.executable, "-c", PUBLISHER, str(tmp_path)]) for _ in range(2)]
    assert [trainer.wait() for trainer in trainers] == [0, 0]
    assert [v.version for v in registry.versions(tmp_path)] == list(range(1, 17))
    slot = model_registry.read_slots(tmp_path).root[FEATURES]
    assert sorted({slot.champion, *slot.previous}) == list(range(1, 17))


def test_a_broken_serving_json_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "serving.json").write_text(json.dumps({"x": {"champion": 0}}), encoding="utf-8")
    with pytest.raises(RegistryError, match=r"serving.json is broken"):
        registry.champion(tmp_path, FEATURES)
