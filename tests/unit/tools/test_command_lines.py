"""`--help` and usage errors answer at once: what takes seconds to load is loaded by the commands that use it."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

SLOW = (
    "tensorflow", "keras", "lightgbm", "matplotlib", "numba", "pandas", "pyarrow", "scipy", "sklearn",
    "duckdb", "kafka",
)  # fmt: skip
TRAINING = (
    "import", "pretrain", "adapt", "evaluate", "promote", "list", "rollback", "prune", "forecast", "loop", "forget",
    "label-queue",
)  # fmt: skip
GATEWAY = ("run", "keys", "labels")
SERVICE = ("run", "topics", "warm", "redrive", "replay", "forget", "check")
PROBE = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit:
    pass
loaded = sorted(name for name in {slow} if name in sys.modules)
assert not loaded, f"loaded {{loaded}}"
"""


@pytest.mark.parametrize(
    "command",
    [
        ("service", "--help"),
        ("service", "nonsense"),
        ("training", "--help"),
        ("training", "nonsense"),
        ("simulator", "--help"),
        ("training", "adapt", "--labels", "many"),
        *(("training", name, "--help") for name in TRAINING),
        *(("service", name, "--help") for name in SERVICE),
        ("gateway", "--help"),
        ("gateway", "nonsense"),
        *(("gateway", name, "--help") for name in GATEWAY),
    ],
    ids=" ".join,
)
def test_it_answers_without_loading_what_takes_seconds(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(slow=SLOW), *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout + done.stderr


@pytest.mark.parametrize("script", ["fraud-service", "fraud-training", "fraud-simulator", "fraud-gateway"])
def test_each_console_script_names_something_that_can_be_called(script: str) -> None:
    scripts = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "scripts"
    ]
    module, _, name = scripts[script].partition(":")
    assert callable(getattr(import_module(module), name))
