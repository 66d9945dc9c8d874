"""A short version of `make chaos`: faults on a broker of its own, and nothing lost or doubled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kafka

FAULTS = ("kill", "broker_killed", "rebalance", "disk_full", "same_id_here")
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)  # a minute and a half, and minutes on a machine that does other things too
def test_nothing_is_lost_or_doubled_and_features_do_not_change(broker: object, tmp_path: Path) -> None:
    assert broker, "it has settled whether one can be had at all"
    chosen = [word for fault in FAULTS for word in ("--only", fault)]
    done = subprocess.run(  # a process of its own: the library does not close the sockets of failed connections
        [sys.executable, "-m", "benchmarks.chaos", *chosen, "--kills", "2", "--scale", "0.2", "--seed", "3"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251 - passed on
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = {
        figure["name"]: figure["value"] for figure in json.loads((tmp_path / "build/bench/chaos.json").read_text())
    }
    assert {
        name for name, value in figures.items() if name.endswith((".lost", ".doubled", ".changed")) and value
    } == set()
    assert {name.partition(".")[0] for name in figures} == set(FAULTS)
