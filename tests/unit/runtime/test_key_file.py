"""Keys that are made once and kept."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.errors import Misconfigured
from runtime.key_file import KEY_FILE, kept_key
from service.bootstrap import card_key
from service.settings import Settings
from training.loop.program import feature_context
from training.settings import load_settings

PAN = "4111111111111111"


def test_a_key_is_made_once_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / KEY_FILE
    key = kept_key(path)
    assert (len(key), kept_key(path)) == (32, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == [KEY_FILE]


def test_many_that_make_it_at_once_agree(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / str(attempt) / KEY_FILE
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(kept_key, [path] * 8))) == 1


def test_instances_that_share_the_snapshots_have_one_key_without_a_secret(tmp_path: Path) -> None:
    keys = {card_key(Settings(instance_id=name, snapshots_dir=tmp_path)) for name in "ab"}
    assert len(keys) == 1
    assert card_key(Settings(instance_id="c", snapshots_dir=tmp_path / "other")) not in keys


def test_the_trainer_masks_without_a_secret_by_a_key_that_it_keeps(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        token = feature_context(load_settings(loop_data_dir=tmp_path)).token
        assert token is not None
        tokens.append(token(PAN))
    assert tokens[0] == tokens[1] != PAN


def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(Misconfigured, match="is no key of 32 bytes"):
        card_key(Settings(instance_id="a", snapshots_dir=tmp_path))
    with pytest.raises(Misconfigured, match="is no key of 32 bytes"):
        feature_context(load_settings(loop_data_dir=tmp_path))
