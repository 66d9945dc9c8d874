"""Controls as people edit them: what is written is read back, what is wrong is said in one line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraud.contracts.controls import MAX_VALUES, Control
from fraud.contracts.examples import EXAMPLES
from runtime.errors import Misconfigured
from service.operations.controls.files import controls_of, list_entries, list_rows, to_toml

NOW = datetime(2026, 1, 5, tzinfo=UTC)
RULE = """
[small-amounts]
kind = "rule"
status = "shadow"
reason = "card testing"
valid_until = 2026-01-12T00:00:00
when = "amount < 5"
effect = "block"
"""


def read(folder: Path, text: str) -> list[Control]:
    file = folder / "controls.toml"
    file.write_text(text)
    return controls_of(file, by="mira", now=NOW)


@pytest.mark.parametrize("name", sorted(name for name in EXAMPLES if name.startswith("control_")))
def test_what_is_shown_is_what_put_reads(name: str, tmp_path: Path) -> None:
    shown = Control.model_validate(EXAMPLES[name][1])
    (found,) = read(tmp_path, to_toml(shown))
    same = {"version", "author", "approver", "written_at"}
    assert found.model_dump(exclude=same) == shown.model_dump(exclude=same)
    assert (found.version, found.author) == (shown.version + 1, "mira")


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    (found,) = read(tmp_path, RULE)
    assert found.valid_until == datetime(2026, 1, 12, tzinfo=UTC)
    assert found.version == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "no control"),
        ("small = 3", "small: must be a table"),
        ("[a]\nkind = 'rules'", "kind must be one of rule, list_entry, condition, policy"),
        (RULE.replace("valid_until", "valid_untl"), "a rule has no valid_untl; it may have version"),
        (RULE + 'version = "two"', "version must be the number"),
        (RULE.replace('"block"', '"allow"'), "an allow rule needs its ceilings"),
        ("[a", "controls.toml: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(wrong: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        read(tmp_path, wrong)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_long_list_is_several_entries_and_comes_out_again(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text("".join(f"dev-{number},seen\n" for number in range(MAX_VALUES + 5)) + "dev-0,again\n\n")
    entries = list_entries(file, "stolen", prefix="batch", by="mira", reason="police", until=None, now=NOW)
    assert [entry.control_id for entry in entries] == ["batch-1", "batch-2"]
    rows = list(list_rows({entry.control_id: entry for entry in entries}, "stolen"))
    assert [row[0] for row in rows] == [f"dev-{number}" for number in range(MAX_VALUES + 5)]
    assert list(list_rows({entry.control_id: entry for entry in entries}, "other")) == []


def test_an_empty_file_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("\n\n")
    with pytest.raises(Misconfigured, match="no values"):
        list_entries(tmp_path / "none.csv", "stolen", prefix="b", by="m", reason="r", until=None, now=NOW)
