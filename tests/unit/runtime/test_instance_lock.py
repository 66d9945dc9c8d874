"""One process per instance id."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.errors import Fenced
from runtime.instance_lock import hold_instance_lock, running


def test_a_second_holder_is_refused_and_named(tmp_path: Path) -> None:
    with (
        hold_instance_lock(tmp_path, "one"),
        pytest.raises(Fenced, match="instance one runs already"),
        hold_instance_lock(tmp_path, "one"),
    ):
        raise AssertionError("held twice")


def test_ids_beside_each_other_do_not_matter_and_an_id_is_free_again(tmp_path: Path) -> None:
    with hold_instance_lock(tmp_path, "one"), hold_instance_lock(tmp_path, "two"):
        assert len(list(tmp_path.glob("*.lock"))) == 2
        assert running(tmp_path) == ["one", "two"]
    assert running(tmp_path) == running(tmp_path / "none") == []
    with hold_instance_lock(tmp_path, "one"):
        assert (tmp_path / "one.lock").exists()


def test_a_killed_process_leaves_its_id_free(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from runtime.instance_lock import hold_instance_lock
with hold_instance_lock(pathlib.Path({str(tmp_path)!r}), "one"):
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with hold_instance_lock(tmp_path, "one"):
        assert (tmp_path / "one.lock").exists()
