import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.history import filling, keeping
from benchmarks.history.payments import START, busy, payments
from benchmarks.report import report
from fraud.decoding.batch import ENTITIES
from fraud.features.encoder import SPEC, Encoder, Status
from fraud.history.history import History, HistoryConfig

CONFIG = HistoryConfig(max_entities=1 << 14, max_entries=1 << 16, max_bucketed=1 << 12, recent_capacity=1 << 14)


def silent(_: str) -> None:
    """Nobody listens."""


def test_a_complete_payment_has_every_id_and_another_only_the_main_ones() -> None:
    numbers = np.arange(1, 200, dtype=np.uint64)
    whole = payments(numbers, start=START, step=1, seed=1)
    assert (whole.ids != 0).all()
    part = payments(numbers, start=START, step=1, seed=1, complete=False)
    present = (part.ids != 0).all(axis=0)
    assert {ENTITIES[i] for i in np.flatnonzero(present)} == {"customer", "card", "device", "bin", "merchant"}
    assert not part.ids[:, ~present].any()


def test_meeting_and_trading_know_each_customer_and_no_event_is_a_repeat() -> None:
    code = Encoder(SPEC, History(CONFIG))
    now = filling.meet(code, 300, start=START, complete=True)
    filling.trade(code, 300, start=now, events=filling.CHUNK, complete=True, say=silent)
    assert code.history.entities["customer"] == code.history.entities["card_device"] == 300
    log = payments(busy(300, 50, seed=3), start=now + 2 * filling.CHUNK * filling.STEP, step=1, seed=4)
    assert set(code.encode(log).status.tolist()) == {Status.SCORE}


def test_few_customers_make_many_of_the_payments() -> None:
    counts = np.bincount(busy(1_000, 100_000, seed=1).astype(np.int64), minlength=1_001)[1:]
    busiest = np.sort(counts)[::-1][:10].sum()
    assert busiest == pytest.approx(100_000 * 0.01 ** (1 / 3), rel=0.1)


def test_keeping_tells_every_figure_of_its_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    monkeypatch.setattr(keeping, "HistoryConfig", lambda: CONFIG)
    monkeypatch.setattr(keeping, "MOST", 40)
    figures = keeping.keep(400, 2, silent)
    written = json.loads(report("bench-history", figures, title="test").read_text())
    named = {figure["name"]: figure["value"] for figure in written}
    assert {"memory_gb", "snapshot_pause_ms", "restore_s", "snapshot.peak_gb"} <= named.keys()
    assert named["memory.payments"] == 400 + filling.CHUNK
    assert 0 < named["snapshot.pause_cpu_ms"] < named["snapshot.written_s"] * 1e3
