"""A short version of `make fuzz`: nothing that may come, on topics or in files, stops or fools what reads it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)  # two minutes, and more on a machine that does other things too
def test_hostile_records_and_damaged_files_are_accounted_for_and_change_nothing(broker: object, tmp_path: Path) -> None:
    assert broker, "it has settled whether one can be had at all"
    amount = ["--records", "4000", "--files", "48", "--seed", "11", "--seconds", "700", "--failures", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", *amount],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251 - passed on
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    figures = {
        figure["name"]: figure["value"] for figure in json.loads((tmp_path / "build/bench/fuzz.json").read_text())
    }
    assert figures["fuzz.records"] + figures["fuzz.refused_by_broker"] >= 4_000
    assert figures["fuzz.files"] == 48
    assert [figures[f"fuzz.{name}"] for name in ("crashes", "unaccounted", "changed")] == [0, 0, 0]
