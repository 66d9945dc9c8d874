"""Where a version lies, for whoever asks."""

from pathlib import Path

from fraud.models.serving import Serving, find_version, version_path


def test_a_champion_is_looked_for_among_the_blessed_a_shadow_among_the_candidates_too(tmp_path: Path) -> None:
    (tmp_path / "candidates" / "3").mkdir(parents=True)
    assert version_path(tmp_path, 3, blessed=False) == tmp_path / "candidates" / "3"
    assert version_path(tmp_path, 3, blessed=True) == tmp_path / "3"
    (tmp_path / "3").mkdir()
    assert version_path(tmp_path, 3, blessed=False) == tmp_path / "3"


def test_a_base_is_found_by_the_registry_and_never_serves(tmp_path: Path) -> None:
    (tmp_path / "bases" / "1").mkdir(parents=True)
    assert find_version(tmp_path, 1) == ("bases", tmp_path / "bases" / "1")
    assert not version_path(tmp_path, 1, blessed=False).exists()
    assert find_version(tmp_path, 2) is None


def test_former_champions_are_part_of_a_slot() -> None:
    serving = Serving.model_validate_json('{"aa": {"champion": 3, "previous": [2, 1], "later": "ignored"}}')
    assert serving.slot("aa").previous == (2, 1)
