"""Labels from a spreadsheet: mapped, refused with a reason, the same row always the same label."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.commands.labels import labels_command
from gateway.label_files import Row, read_mapping, read_rows
from runtime.errors import Misconfigured
from tests.support.gateways import NOW

MAPPING = """
delimiter = ";"
[fields]
transaction_id = { from = "order" }
occurred_at = { from = "date", format = "%d.%m.%Y", timezone = "Europe/Paris" }
verdict = { from = "type", values = { "Fraud" = "unauthorised", "Lost" = "service" } }
source = { constant = "chargeback" }
reason_code = { from = "code" }
"""
ROWS = "order;date;type;code\nt1;05.01.2026;Fraud;10.4\nt2;05.01.2026;Odd;\n;05.01.2026;Lost;\nt4;2026-01-05;Lost;\n"


def rows(folder: Path, text: str = ROWS, mapping: str = MAPPING) -> list[Row]:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    (folder / "mapping.toml").write_text(mapping, encoding="utf-8")
    return list(read_rows(folder / "labels.csv", read_mapping(folder / "mapping.toml"), now=NOW))


def test_a_row_becomes_a_label_and_the_others_say_why_not(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert found[0].fields is not None
    assert found[0].fields["verdict"] == "unauthorised"
    assert datetime.fromisoformat(str(found[0].fields["occurred_at"])) == datetime(2026, 1, 4, 23, tzinfo=UTC)
    assert [row.why.partition(":")[0] for row in found] == ["", "verdict", "transaction_id", "occurred_at"]
    assert [row.number for row in found] == [2, 3, 4, 5]


def test_the_same_row_gives_the_same_label(tmp_path: Path) -> None:
    first, again = rows(tmp_path)[0].fields, rows(tmp_path)[0].fields
    assert first is not None
    assert again is not None
    assert first["label_id"] == again["label_id"]


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        (MAPPING.replace("order", "basket"), "no column basket"),
        (MAPPING + 'colour = { from = "x" }', "unknown fields"),
        (MAPPING.replace('source = { constant = "chargeback" }', ""), "missing ones"),
        (MAPPING.replace("constant", "form"), "form"),
        ("[", "mapping.toml"),
    ],
)
def test_a_wrong_mapping_is_told_in_one_line(tmp_path: Path, mapping: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        rows(tmp_path, mapping=mapping)


def test_the_command_tells_what_it_found_and_writes_what_it_refused(tmp_path: Path) -> None:
    rows(tmp_path)
    done = CliRunner().invoke(
        labels_command,
        ["import", str(tmp_path / "labels.csv"), "--mapping", str(tmp_path / "mapping.toml"), "--dry-run"],
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith("1 labels found, 3 rows refused")
    refused = (tmp_path / "labels.refused.csv").read_text(encoding="utf-8").splitlines()
    assert refused[0] == "row,reason,order,date,type,code"
    assert len(refused) == 4
