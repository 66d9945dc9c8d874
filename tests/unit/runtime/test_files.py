"""A file has its old content or its new one, whatever happens in between."""

import json
import stat
from pathlib import Path

import pytest

from runtime.files import create_once, replacing, write_json


def test_a_file_is_replaced_when_the_block_is_over_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with replacing(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError):
        write_json(path, {"half": object()})
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".file.tmp").write_text("a much longer content that was never finished", encoding="utf-8")
    write_json(tmp_path / "file", {"b": 1, "a": 2})
    assert json.loads((tmp_path / "file").read_bytes()) == {"a": 2, "b": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_created_once_stays_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    create_once(path, b"first")
    create_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
