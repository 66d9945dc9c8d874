"""The bound on memory, as `check` and the documents state it."""

import re
from pathlib import Path

import pytest

from fraud.features.platform import Platform
from fraud.history.history import HistoryConfig, most_bytes
from runtime.platform_file import standing_for
from service.operations import checks
from service.operations.memory_bound import GIB, most_memory
from service.settings import Settings


def test_each_partition_counts_twice_beside_the_program() -> None:
    config = HistoryConfig()
    assert most_memory(config, 3) - most_memory(config, 2) == 2 * most_bytes(config)
    assert most_memory(config, 1) > GIB


def test_the_table_of_operations_is_what_the_function_says() -> None:
    text = Path("docs/how-to/operations.md").read_text(encoding="utf-8")
    table = text.split("| partitions | at most, GiB |")[1].split("\n\n")[0]
    rows = {int(partitions): float(most) for partitions, most in re.findall(r"^\| (\d+) \| ([\d.]+) \|$", table, re.M)}
    assert len(rows) >= 3
    for partitions, most in rows.items():
        assert most == pytest.approx(most_memory(HistoryConfig(), partitions) / GIB, abs=0.06)


def test_check_says_how_much_memory_the_settings_may_take() -> None:
    few, many = (
        next(finding for finding in checks.findings(Settings(**given)) if finding.subject == "memory")  # type: ignore[arg-type]
        for given in ({}, {"dedupe_records": 1 << 26, "platform_file": standing_for(Platform(partitions=2))})
    )
    assert few.text.startswith("at most 3.3 GiB with all 1 partition(s)")
    assert many.text.startswith(f"at most {most_memory(HistoryConfig(recent_capacity=1 << 26), 2) / GIB:.1f} GiB")
