"""What an import tells: missing columns, rejects by reason, label values, countries; and how files may be written."""

import json
from collections.abc import Mapping as Lookup
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from fraud.features.platform import Platform
from training.commands.import_events import import_command
from training.data.importing.importer import Imported, import_file
from training.data.importing.mapping import InvalidMapping, Mapping

BASE: Lookup[str, object] = {
    "name": "shop",
    "about": "hand-made",
    "time": {"from": "at"},
    "amount": {"from": "amount"},
    "fields": {
        "transaction_id": {"from": ["$row"]},
        "customer_id": {"from": ["who"]},
        "currency": {"constant": "EUR"},
    },
    "label": {"from": "fraud", "fraud": ["yes"], "maturity_days": 0},
}
ROW: Lookup[str, object] = {"at": "2026-01-05T10:00:00Z", "amount": "12.50", "who": "c1", "fraud": "no"}


def imported(
    tmp_path: Path,
    rows: list[dict[str, object]],
    changes: Lookup[str, object] | None = None,
    *,
    platform: Platform | None = None,
) -> tuple[Imported, pd.DataFrame]:
    source = tmp_path / "source.csv"
    pd.DataFrame([{**ROW, **row} for row in rows]).to_csv(source, index=False)
    mapping = Mapping.model_validate({**BASE, **(changes or {})})
    done = import_file(source, mapping, tmp_path / "events.parquet", platform=platform or Platform())
    return done, pd.read_parquet(done.events)


def test_all_missing_columns_are_named_at_once(tmp_path: Path) -> None:
    attributes = {"a": "one", "b": "two", "c": {"from": "three", "optional": True}}
    with pytest.raises(InvalidMapping, match="no columns one, two ") as told:
        imported(tmp_path, [{}], {"attributes": attributes})
    assert "three" not in str(told.value)


def test_optional_fields_and_attributes_whose_column_is_absent_are_left_out_and_told(tmp_path: Path) -> None:
    fields = {**BASE["fields"], "device_id": {"from": ["device"], "optional": True}}  # type: ignore[dict-item]
    attributes = {"risk": {"from": "risk", "optional": True}, "amount_again": "amount"}
    done, events = imported(tmp_path, [{}], {"fields": fields, "attributes": attributes})
    assert done.left_out == ("device_id", "risk")
    assert events["device_id"].isna().all()
    assert json.loads(events["attributes"][0]) == {"amount_again": 12.5}
    assert any("device_id, risk" in warning for warning in done.warnings)


def test_a_field_that_every_event_needs_cannot_be_optional() -> None:
    fields = {**BASE["fields"], "customer_id": {"from": ["who"], "optional": True}}  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="customer_id is needed"):
        Mapping.model_validate({**BASE, "fields": fields})


def test_rejects_are_told_by_reason_with_the_first_row_and_an_example(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {},
        {"amount": "ten"},
        {"amount": "eleven"},
        {"at": "yesterday"},
        {"who": "x" * 300},
    ]
    done, _ = imported(tmp_path, rows)
    told = [(r.reason.partition(":")[0], r.rows, r.first_row, r.example) for r in done.rejected]
    assert told == [("amount", 2, 1, "ten"), ("event_time", 1, 3, "yesterday"), ("customer_id", 1, 4, "x" * 40 + "…")]
    assert "ten" not in done.rejects_file.read_text()


def test_the_table_of_rejects_is_printed_and_part_of_the_json(tmp_path: Path) -> None:
    source, mapping = tmp_path / "source.csv", tmp_path / "mapping.toml"
    source.write_text("step,type,amount,nameOrig,nameDest,isFraud\n1,T,1.5,C,M,1\n1,T,[red]x,C,M,1\n", encoding="utf-8")
    arguments = [str(source), "--mapping", "paysim", "--out", str(tmp_path / "events.parquet")]
    shown = CliRunner().invoke(import_command, arguments)
    assert "[red]x" in shown.output
    document = json.loads(CliRunner().invoke(import_command, [*arguments, "--json"]).output)
    assert document["rejected"][0] | {"reason": ""} == {"reason": "", "rows": 1, "first_row": 1, "example": "[red]x"}
    assert not mapping.exists()


def test_values_of_the_label_count_in_any_case_and_that_is_told(tmp_path: Path) -> None:
    done, _ = imported(tmp_path, [{"fraud": "Yes"}, {"fraud": "YES "}, {"fraud": "no"}, *[{}] * 20])
    assert done.frauds == 2
    assert any('"Yes" (1 rows)' in warning and "counted as yes" in warning for warning in done.warnings)


def test_no_fraud_at_all_is_told_with_the_values_that_there_are(tmp_path: Path) -> None:
    done, _ = imported(tmp_path, [{"fraud": "ja"}, {}])
    assert done.frauds == 0
    assert any("no fraud at all" in warning for warning in done.warnings)
    assert any('"ja" (1 rows)' in warning for warning in done.warnings)


def test_more_than_a_fifth_of_frauds_is_told(tmp_path: Path) -> None:
    done, _ = imported(tmp_path, [{"fraud": "yes"}, {}, {}, {}])
    assert any("25% of the payments are fraud" in warning for warning in done.warnings)
    quiet, _ = imported(tmp_path, [{"fraud": "yes"}, {}, {}, {}, {}])
    assert quiet.warnings == ()


def test_with_genuine_values_named_any_other_says_nothing(tmp_path: Path) -> None:
    label = {"from": "fraud", "fraud": ["yes"], "genuine": ["no"], "maturity_days": 36500}
    done, _ = imported(tmp_path, [{"fraud": "yes"}, *[{}] * 6, {"fraud": "unknown"}], {"label": label})
    verdicts = pd.read_parquet(done.labels)["verdict"].value_counts().to_dict()
    assert verdicts == {"genuine": 6, "unauthorised": 1}
    assert (done.frauds, done.transactions) == (1, 8)
    assert any('"unknown" (1 rows) say nothing' in warning for warning in done.warnings)


def test_a_column_of_countries_by_name_is_told(tmp_path: Path) -> None:
    fields = {**BASE["fields"], "billing_country": {"from": ["land"]}}  # type: ignore[dict-item]
    done, _ = imported(tmp_path, [{"land": "Germany"}, {"land": "DE"}], {"fields": fields})
    assert any("billing_country" in warning and '"Germany"' in warning for warning in done.warnings)


def test_repeated_ids_are_told(tmp_path: Path) -> None:
    fields = {**BASE["fields"], "transaction_id": {"from": ["who"]}}  # type: ignore[dict-item]
    done, _ = imported(tmp_path, [{}, {}, {"who": "c2"}], {"fields": fields})
    assert any("1 rows repeat an id" in warning for warning in done.warnings)


@pytest.mark.parametrize(
    ("written", "decimal", "minor"),
    [
        ("$1,234.50", ".", 123450),
        ("1 234.50 EUR", ".", 123450),
        ("12,50 €", ",", 1250),
        ("1.234,50", ",", 123450),
        ("(3.10)", ".", None),
        ("-3.10", ".", None),
        ("1,23", ".", None),
        ("1.23", ",", None),
        ("", ",", None),
    ],
)
def test_amounts_are_read_as_people_write_them_and_nothing_is_guessed(
    tmp_path: Path, written: str, decimal: str, minor: int | None
) -> None:
    done, events = imported(tmp_path, [{"amount": "7"}, {"amount": written}], {"decimal": decimal})
    assert events["amount"].tolist() == ([700] if minor is None else [700, minor])
    assert done.rejects == (minor is None)


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-16", ";"), ("utf-8-sig", "\t"), ("cp1252", "|")])
def test_files_of_other_encodings_and_delimiters_are_read_as_the_mapping_says(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    source = tmp_path / "source.csv"
    pd.DataFrame([{**ROW, "who": "Zoë"}]).to_csv(source, index=False, sep=delimiter, encoding=encoding)
    file = {"delimiter": delimiter, "encoding": encoding}
    done = import_file(source, Mapping.model_validate({**BASE, "file": file}), tmp_path / "events.parquet")
    assert pd.read_parquet(done.events)["customer_id"].tolist() == ["Zoë"]


def test_a_file_of_another_encoding_is_one_line(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    pd.DataFrame([ROW]).to_csv(source, index=False, encoding="utf-16")
    with pytest.raises(InvalidMapping) as told:
        import_file(source, Mapping.model_validate(BASE), tmp_path / "events.parquet")
    assert "\n" not in str(told.value)


def test_lines_with_too_many_values_are_skipped_and_told(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("at,amount,who,fraud\n2026-01-05T10:00:00Z,1,c,no\n2026-01-05T10:00:00Z,1,c,no,more\n")
    done = import_file(source, Mapping.model_validate(BASE), tmp_path / "events.parquet")
    assert (done.rows, done.transactions, done.rejects) == (2, 1, 1)
    assert "more or fewer values" in done.rejected[0].reason


def test_times_with_and_without_offset_are_brought_to_utc_by_the_mappings_zone(tmp_path: Path) -> None:
    time = {"from": "at", "timezone": "Europe/Paris"}
    rows: list[dict[str, object]] = [{"at": "2026-07-01T10:00:00+02:00"}, {"at": "2026-07-01 10:00:00"}]
    _, events = imported(tmp_path, rows, {"time": time})
    assert events["event_time"].tolist() == [pd.Timestamp("2026-07-01T08:00", tz="UTC")] * 2


def test_a_pattern_that_is_none_and_an_unknown_zone_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidMapping, match="format '%Q'"):
        imported(tmp_path, [{}], {"time": {"from": "at", "format": "%Q"}})
    with pytest.raises(ValueError, match="time zone 'Mars' is not known"):
        Mapping.model_validate({**BASE, "time": {"from": "at", "timezone": "Mars"}})


def test_declared_fields_are_read_as_their_kind_and_what_is_none_is_told(tmp_path: Path) -> None:
    fields = {"risk": {"kind": "number"}, "new": {"kind": "flag"}, "code": {"kind": "category"}}
    rows: list[dict[str, object]] = [
        {"risk": "1.5", "new": "Yes", "code": "007"},
        {"risk": "high", "new": "f", "code": ""},
    ]
    attributes = {"risk": "risk", "new": "new", "code": "code"}
    platform = Platform.model_validate({"fields": fields})
    done, events = imported(tmp_path, rows, {"attributes": attributes}, platform=platform)
    assert [json.loads(held) for held in events["attributes"]] == [{"risk": 1.5, "new": 1, "code": "007"}, {"new": 0}]
    assert any("attribute risk: 1 values" in warning for warning in done.warnings)
