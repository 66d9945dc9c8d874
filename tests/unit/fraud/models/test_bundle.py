"""A bundle is checked from end to end before anything of it is loaded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraud.decoding.batch import Float32s
from fraud.models.bundle import InvalidBundle, check_golden, checksum, read_manifest, verify
from fraud.models.serving import read_serving

EMPTY_GRAPH = b"\x12\x04\x12\x00\x3a\x00"
"""A SavedModel with a graph and objects, both empty."""

DEMANDS: dict[str, Any] = {"features_fingerprint": "f" * 16, "partitions": 1, "stage": "pre_auth"}


def write_bundle(path: Path, **changes: object) -> Path:
    """A complete bundle (its SavedModel is empty)."""
    (path / "variables").mkdir(parents=True)
    (path / "risk").mkdir()
    (path / "saved_model.pb").write_bytes(EMPTY_GRAPH)
    (path / "variables" / "variables.index").write_bytes(b"index")
    (path / "risk" / "merchant.npz").write_bytes(b"table")
    (path / "policy.json").write_text("{}")
    (path / "metrics.json").write_text("{}")
    (path / "BLESSED").touch()
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(path / "golden.npz", features=rows, score=rows[:, 0] / 10, raw=rows[:, 0] / 5)
    files = {
        f.relative_to(path).as_posix(): checksum(f) for f in path.rglob("*") if f.is_file() and f.name != "BLESSED"
    }
    manifest: dict[str, object] = {
        "format": 1, "version": 3, "created_at": "2026-01-01T00:00:00+00:00", "features_fingerprint": "f" * 16,
        "history_fingerprint": "a" * 16, "feature_names": ["x", "y"], "strategy": "l2sp", "seed": 1, "prior": 0.002,
        "files": files,
    }  # fmt: skip
    (path / "manifest.json").write_text(json.dumps(manifest | changes))
    return path


def scorer(rows: Float32s) -> tuple[Float32s, Float32s]:
    return np.divide(rows[:, 0], 10, dtype=np.float32), np.divide(rows[:, 0], 5, dtype=np.float32)


def test_a_complete_bundle_is_accepted(tmp_path: Path) -> None:
    manifest = verify(write_bundle(tmp_path / "3"), **DEMANDS)
    assert manifest.version == 3
    assert manifest.feature_names == ("x", "y")


@pytest.mark.parametrize(
    ("demand", "word"),
    [
        ({"features_fingerprint": "0" * 16}, "features"),
        ({"partitions": 4}, "partitions"),
        ({"stage": "post_auth"}, "stage"),
    ],
)
def test_a_bundle_made_for_something_else_is_refused(tmp_path: Path, demand: dict[str, Any], word: str) -> None:
    path = write_bundle(tmp_path / "3")
    with pytest.raises(InvalidBundle, match=word):
        verify(path, **DEMANDS | demand)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index", "risk/merchant.npz", "policy.json"])
def test_a_changed_or_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = write_bundle(tmp_path / "3")
    (path / name).write_bytes(b"other")
    with pytest.raises(InvalidBundle, match=f"{name} was changed"):
        verify(path, **DEMANDS)
    (path / name).unlink()
    with pytest.raises(InvalidBundle, match=name):
        verify(path, **DEMANDS)


def test_a_stray_file_in_a_loaded_folder_is_refused(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "3")
    (path / "risk" / "other.npz").write_bytes(b"x")
    with pytest.raises(InvalidBundle, match="not in the manifest"):
        verify(path, **DEMANDS)


def test_only_a_blessed_bundle_serves_but_the_gate_may_look(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "3")
    (path / "BLESSED").unlink()
    with pytest.raises(InvalidBundle, match="not blessed"):
        verify(path, **DEMANDS)
    assert verify(path, **DEMANDS, require_blessing=False).version == 3


def test_a_base_is_never_served(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "3", strategy="pretrain")
    with pytest.raises(InvalidBundle, match="adapt it first"):
        verify(path, **DEMANDS)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": 2}, "format"),
        ({"version": 0}, "version"),
        ({"prior": 0.0}, "prior"),
        ({"files": {"../evil": "0"}}, "outside"),
        ({"files": {"/etc/passwd": "0"}}, "outside"),
        ({"files": {}}, "saved_model"),
    ],
)
def test_a_broken_manifest_gives_one_line(tmp_path: Path, changes: dict[str, object], word: str) -> None:
    path = write_bundle(tmp_path / "3", **changes)
    with pytest.raises(InvalidBundle, match=word) as caught:
        verify(path, **DEMANDS)
    assert "\n" not in str(caught.value)


def test_a_truncated_or_absent_manifest_gives_one_line(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "3")
    (path / "manifest.json").write_text('{"format": 1, "ver')
    with pytest.raises(InvalidBundle, match=r"manifest\.json"):
        read_manifest(path)
    with pytest.raises(InvalidBundle, match="not a bundle"):
        read_manifest(tmp_path / "none")


def test_golden_rows_pass_within_the_tolerance_and_not_beyond(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "3")
    manifest = read_manifest(path)
    assert check_golden(path, manifest, scorer) == 0
    with pytest.raises(InvalidBundle, match="differ by"):
        check_golden(path, manifest, lambda rows: (scorer(rows)[0] + np.float32(0.01), scorer(rows)[1]))
    with pytest.raises(InvalidBundle, match="differ by"):
        check_golden(path, manifest, lambda rows: (scorer(rows)[0] * np.float32(np.nan), scorer(rows)[1]))


def test_golden_rows_that_are_pickles_complex_or_of_another_width_are_refused(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "3")
    manifest = read_manifest(path)
    np.savez(path / "golden.npz", features=np.zeros((2, 3)), score=np.zeros(2), raw=np.zeros(2))
    with pytest.raises(InvalidBundle, match="3 features"):
        check_golden(path, manifest, scorer)
    np.savez(path / "golden.npz", features=np.array([{}], dtype=object), score=np.zeros(1), raw=np.zeros(1))
    with pytest.raises(InvalidBundle, match=r"golden\.npz"):
        check_golden(path, manifest, scorer)
    np.savez(path / "golden.npz", features=np.ones((2, 3)), score=np.full(2, 1 + 2j), raw=np.zeros(2))
    with pytest.raises(InvalidBundle, match="complex"):
        check_golden(path, manifest, scorer)


def test_serving_names_a_champion_per_features(tmp_path: Path) -> None:
    (tmp_path / "serving.json").write_text('{"aa": {"champion": 3, "shadow": 4}, "bb": {"champion": 2}}')
    serving = read_serving(tmp_path)
    assert (serving.slot("aa").champion, serving.slot("aa").shadow, serving.slot("bb").shadow) == (3, 4, None)
    with pytest.raises(InvalidBundle, match="no champion for features cc"):
        serving.slot("cc")


@pytest.mark.parametrize("content", ["", "[]", '{"aa": {"champion": "x"}}', '{"aa": {}}'])
def test_a_broken_serving_file_gives_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "serving.json").write_text(content)
    with pytest.raises(InvalidBundle, match=r"serving\.json"):
        read_serving(tmp_path)


def test_no_serving_file_says_that_nothing_was_promoted(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="promoted"):
        read_serving(tmp_path)
