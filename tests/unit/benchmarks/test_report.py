from pathlib import Path

import msgspec
import pytest

from benchmarks import report as reporting
from benchmarks.report import Figure, report


def test_figures_are_printed_and_written_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reporting, "FOLDER", tmp_path)
    path = report("bench-x", [Figure("cost_ratio", 0.5, "ratio", 0.4, 0.6), Figure("lost", 0, "events")], title="X")
    assert msgspec.json.decode(path.read_bytes()) == [
        {"name": "cost_ratio", "value": 0.5, "unit": "ratio", "low": 0.4, "high": 0.6},
        {"name": "lost", "value": 0, "unit": "events", "low": None, "high": None},
    ]
    assert path == tmp_path / "bench-x.json"
    assert "cost_ratio" in capsys.readouterr().out


def test_repeats_become_their_median_and_quartiles() -> None:
    assert Figure.of("x", [5.0, 1.0, 3.0, 2.0, 4.0], "s") == Figure("x", 3.0, "s", 2.0, 4.0)
    assert Figure.of("x", [7.0], "s") == Figure("x", 7.0, "s")
