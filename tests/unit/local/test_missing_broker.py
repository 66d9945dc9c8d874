"""What a test run does on a machine without a broker: CI fails, everybody else is told why tests are skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("ci", "code", "outcome"), [("true", 1, "1 error"), ("", 0, "1 skipped")])
def test_a_missing_broker_fails_in_ci_and_skips_elsewhere(ci: str, code: int, outcome: str) -> None:
    one = "tests/integration/test_broker.py::test_the_broker_tells_its_version"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", one, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={"PATH": "", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert outcome in done.stdout
    assert "java is not on PATH: install a JDK 17 or newer" in done.stdout
