"""Unknown tables become a mapping and a declaration: what columns are taken for, and that broken tables are told."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from fraud.features.platform import parse_platform
from training.commands.draft import draft_command
from training.data.drafting.draft import Draft, draft
from training.data.drafting.toml_text import Value, comment, line
from training.data.drafting.write import mapping_text, parsed
from training.data.importing.importer import Imported, import_file
from training.data.importing.mapping import InvalidMapping, load_mapping

ROWS = 1200


def table(rows: int = ROWS) -> pd.DataFrame:
    """Payments of a shop; 3 % are fraud."""
    random = np.random.default_rng(1)
    fraud = random.random(rows) < 0.03
    who = random.integers(0, rows // 6, rows)
    return pd.DataFrame(
        {
            "payment_id": [f"p{row}" for row in range(rows)],
            "paid_at": pd.date_range("2025-01-13", periods=rows, freq="37min").strftime("%Y-%m-%d %H:%M:%S"),
            "amount": np.round(random.gamma(2, 30, rows) + 60 * fraud, 2),
            "customer": [f"c{number}" for number in who],
            "card_token": [f"k{number}" for number in who],
            "store": [f"s{number}" for number in random.integers(0, 60, rows)],
            "basket": random.choice(["food", "toys", "books"], rows),
            "risk": np.round(random.normal(1.5 * fraud, 1), 3),
            "returning": random.choice(["Y", "N"], rows),
            "agent_id": [f"a{number}" for number in random.integers(0, 300, rows)],
            "is_fraud": fraud.astype(int),
        }
    )


def drafted(tmp_path: Path, frame: pd.DataFrame, label: str | None = None, **written: object) -> Draft:
    path = tmp_path / "shop.csv"
    frame.to_csv(path, index=False, **written)  # type: ignore[call-overload]
    return draft(path, label)


def imported(tmp_path: Path, made: Draft) -> tuple[Imported, pd.DataFrame]:
    mapping, platform = parsed(made)
    done = import_file(made.table.path, mapping, tmp_path / "events.parquet", platform=platform)
    return done, pd.read_parquet(done.events)


def places(made: Draft) -> dict[str, str]:
    return {row.column: f"{row.becomes} {row.kind}".strip() for row in made.columns}


def command(tmp_path: Path, frame: pd.DataFrame, *options: str) -> Result:
    path = tmp_path / "shop.csv"
    frame.to_csv(path, index=False)
    return CliRunner().invoke(draft_command, [str(path), "--out", str(tmp_path / "draft"), *options])


def test_every_column_finds_its_place(tmp_path: Path) -> None:
    made = drafted(tmp_path, table())
    assert places(made) == {
        "payment_id": "transaction_id",
        "paid_at": "event_time",
        "amount": "amount",
        "customer": "customer_id",
        "card_token": "card_id",
        "store": "merchant_id",
        "basket": "attribute basket category",
        "risk": "attribute risk number",
        "returning": "attribute returning flag",
        "agent_id": "attribute agent_id entity",
        "is_fraud": "label",
    }
    assert not made.problems


def test_the_written_files_import_the_table_as_they_say(tmp_path: Path) -> None:
    frame = table()
    result = command(tmp_path, frame, "--label", "is_fraud")
    assert result.exit_code == 0, result.output
    mapping = load_mapping(str(tmp_path / "draft/mapping.toml"))
    platform = parse_platform((tmp_path / "draft/platform.toml").read_text(), where="platform.toml")
    done = import_file(tmp_path / "shop.csv", mapping, tmp_path / "events.parquet", platform=platform)
    assert (done.transactions, done.rejects, done.frauds) == (ROWS, 0, frame["is_fraud"].sum())
    assert platform.named() == ("basket", "risk", "returning", "agent_id")


def test_without_a_customer_each_payment_is_its_own_and_that_is_said(tmp_path: Path) -> None:
    made = drafted(tmp_path, table().drop(columns=["customer", "card_token"]))
    _, events = imported(tmp_path, made)
    assert events["customer_id"].nunique() == ROWS
    assert any("no column names customers" in note for note in made.notes)


def test_a_card_stands_in_for_a_customer(tmp_path: Path) -> None:
    made = drafted(tmp_path, table().drop(columns="customer"))
    _, events = imported(tmp_path, made)
    assert (events["customer_id"] == events["card_id"]).all()
    assert any("card_token stands in" in note for note in made.notes)


def test_a_column_that_tells_the_label_is_left_out_as_a_leak(tmp_path: Path) -> None:
    frame = table()
    frame["review_score"] = frame["is_fraud"] * 5 + np.random.default_rng(2).random(ROWS)
    frame["case_number"] = [f"case{row}" if fraud else "" for row, fraud in enumerate(frame["is_fraud"])]
    made = drafted(tmp_path, frame)
    assert made.left_out["review_score"].startswith("a leak: alone it tells the label with ROC AUC 1.000")
    assert "case_number" not in {own.column for own in made.own.values()}
    assert "risk" in made.own
    assert re.search(r'^# review_score = "review_score"  # left out, a leak', mapping_text(made), re.MULTILINE)


def test_other_columns_named_like_a_label_are_never_features(tmp_path: Path) -> None:
    frame = table().assign(chargeback_amount=np.random.default_rng(3).random(ROWS), fraud_score=1.5)
    made = drafted(tmp_path, frame, "is_fraud")
    assert "named like a label" in made.left_out["chargeback_amount"]
    assert "named like a label" in made.left_out["fraud_score"]


def test_constant_empty_and_equal_columns_and_row_numbers_are_left_out(tmp_path: Path) -> None:
    frame = table().assign(one="x", none="")
    frame.insert(0, "Unnamed: 0", range(ROWS))
    frame["risk_again"] = frame["risk"]
    left = drafted(tmp_path, frame).left_out
    assert {name: left[name] for name in ("one", "none", "Unnamed: 0", "risk_again")} == {
        "one": "constant",
        "none": "empty",
        "Unnamed: 0": "numbers the rows",
        "risk_again": "equals risk",
    }


def test_the_time_of_the_report_becomes_the_labels_time(tmp_path: Path) -> None:
    frame = table()
    reported = (pd.to_datetime(frame["paid_at"]) + pd.Timedelta(days=20)).dt.strftime("%Y-%m-%d")
    frame["chargeback_date"] = reported.where(frame["is_fraud"] == 1, "")
    done, _ = imported(tmp_path, drafted(tmp_path, frame))
    labels = pd.read_parquet(done.labels)
    assert len(labels) == frame["is_fraud"].sum()
    assert labels["received_at"].min() > pd.Timestamp("2025-02-01", tz="UTC")


def test_personal_values_are_hashed_and_never_shown(tmp_path: Path) -> None:
    frame = table()
    frame["e_mail"] = [f"zoe{number}@example.org" for number in range(ROWS)]
    frame["last_name"] = [f"Miller{number}" for number in range(ROWS)]
    frame["card_number"] = [f"4111111111{number:06d}" for number in np.random.default_rng(4).integers(0, 200, ROWS)]
    made = drafted(tmp_path, frame.drop(columns="card_token"))
    text = mapping_text(made)
    assert not re.search(r"zoe|Miller|4111111", text)
    _, events = imported(tmp_path, made)
    assert not re.search(r"zoe|Miller|4111111", events.to_csv())
    assert events["card_id"].nunique() == frame["card_number"].nunique()
    assert places(made)["last_name"] == "left out"


# Ten broken tables, and three that are only written otherwise. Each is a clear line or a right guess that is told.


def test_no_time_is_one_line_and_the_files_are_written_to_be_mended(tmp_path: Path) -> None:
    result = command(tmp_path, table().drop(columns="paid_at"))
    assert result.exit_code == 1
    assert "no column looks like the time of a payment" in result.output.splitlines()[-1]
    assert 'time = { from = "?"' in (tmp_path / "draft/mapping.toml").read_text()


def test_of_two_times_the_payments_own_is_taken_and_the_other_is_told(tmp_path: Path) -> None:
    frame = table().assign(account_opened="2020-05-05", settled_date="2025-03-03")
    frame["created_date"] = frame["paid_at"].str[:10]
    made = drafted(tmp_path, frame)
    assert made.time is not None
    assert made.time.column in {"paid_at", "created_date"}
    assert any("could be it, too" in note for note in made.notes)
    assert not {"account_opened", "settled_date"} & {own.column for own in made.own.values()}


def test_amounts_with_currency_signs_are_read_and_tell_the_currency(tmp_path: Path) -> None:
    frame = table()
    expected = (frame["amount"] * 100).round().astype(int)
    frame["amount"] = [f"£{amount:,.2f}" for amount in frame["amount"]]
    made = drafted(tmp_path, frame)
    _, events = imported(tmp_path, made)
    assert events["amount"].tolist() == expected.tolist()
    assert set(events["currency"]) == {"GBP"}


def test_decimal_commas_are_noticed(tmp_path: Path) -> None:
    frame = table()
    made = drafted(tmp_path, frame, sep=";", decimal=",")
    _, events = imported(tmp_path, made)
    assert events["amount"].tolist() == (frame["amount"] * 100).round().astype(int).tolist()
    assert 'decimal = ","' in mapping_text(made)


def test_mixed_time_zones_are_turned_into_utc_and_told(tmp_path: Path) -> None:
    frame = table()
    zones = ["Z", "+02:00", "-05:00"]
    times = pd.to_datetime(frame["paid_at"])
    frame["paid_at"] = [f"{time:%Y-%m-%dT%H:%M:%S}{zones[row % 3]}" for row, time in enumerate(times)]
    made = drafted(tmp_path, frame)
    _, events = imported(tmp_path, made)
    assert any("3 offsets" in note for note in made.notes)
    assert sorted(events["event_time"])[0] == pd.Timestamp("2025-01-12T22:37:00", tz="UTC")


def test_labels_of_yes_no_and_unknown_learn_nothing_from_the_unknown(tmp_path: Path) -> None:
    frame = table()
    frame["is_fraud"] = np.where(frame["is_fraud"] == 1, "Yes", "No")
    frame.loc[::10, "is_fraud"] = "unknown"
    made = drafted(tmp_path, frame, "is_fraud")
    assert any('"unknown" (120 rows)' in note for note in made.notes)
    done, _ = imported(tmp_path, made)
    assert pd.read_parquet(done.labels)["verdict"].value_counts().sum() == ROWS - 120
    assert done.frauds == (frame["is_fraud"] == "Yes").sum()


def test_duplicate_ids_are_told_and_rows_are_numbered(tmp_path: Path) -> None:
    frame = table()
    frame.loc[ROWS - 30 :, "payment_id"] = "p1"
    made = drafted(tmp_path, frame)
    _, events = imported(tmp_path, made)
    assert events["transaction_id"].nunique() == ROWS
    assert any("rows are numbered instead" in note for note in made.notes)


def test_of_ten_thousand_columns_those_that_tell_most_are_taken(tmp_path: Path) -> None:
    frame = table(300)
    noise = np.random.default_rng(5).normal(size=(300, 10_000)).round(3)
    wide = pd.concat([frame, pd.DataFrame(noise, columns=[f"f{number}" for number in range(10_000)])], axis=1)
    made = drafted(tmp_path, wide)
    assert len(made.own) == 512
    assert any("the 512 that tell most alone are taken" in note for note in made.notes)


def test_an_empty_column_and_an_empty_file_are_told(tmp_path: Path) -> None:
    assert drafted(tmp_path, table().assign(nothing=np.nan)).left_out["nothing"] == "empty"
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InvalidMapping, match="is empty"):
        draft(tmp_path / "empty.csv")


@pytest.mark.parametrize(
    ("encoding", "separator"),
    [("utf-16", ","), ("utf-16-le", ";"), ("utf-8-sig", "\t"), ("cp1252", "|"), ("utf-8", ";"), ("utf-8", "\t")],
)
def test_other_encodings_and_delimiters_are_noticed(tmp_path: Path, encoding: str, separator: str) -> None:
    frame = table().assign(town="Besançon")
    frame.loc[::2, "town"] = "Zürich"
    made = drafted(tmp_path, frame, encoding=encoding, sep=separator)
    done, events = imported(tmp_path, made)
    assert (done.transactions, done.rejects) == (ROWS, 0)
    assert "Zürich" in events["attributes"][0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04rest", "Excel"),
        (b"1,2,3\n4,5,6\n", "first line holds data"),
        (b"a,a\n1,2\n", "more than once"),
        (b"a,b\n", "no rows"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    result = CliRunner().invoke(draft_command, [str(path), "--out", str(tmp_path / "draft")])
    assert result.exit_code == 1
    assert told in result.output.splitlines()[-1]
    assert not isinstance(result.exception, (ValueError, KeyError, TypeError))


@pytest.mark.parametrize(
    ("change", "label", "told"),
    [
        (lambda frame: frame, "fruad", "has no column fruad"),
        (lambda frame: frame, "amount", "different values; a label has a few"),
        (lambda frame: frame.assign(is_fraud=""), "is_fraud", "is empty"),
    ],
)
def test_a_label_that_is_none_is_one_line(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], label: str, told: str
) -> None:
    result = command(tmp_path, change(table()), "--label", label)
    assert result.exit_code == 1
    assert told in result.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M"),
        ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"),
        ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"),
        ("%Y-%m-%dT%H:%M:%SZ", "iso"),
        ("%s", "seconds"),
        ("%s000", "milliseconds"),
    ],
)
def test_times_are_recognised_however_they_are_written(tmp_path: Path, pattern: str, expected: str) -> None:
    frame = table()
    times = pd.to_datetime(frame["paid_at"], utc=True)
    seconds = times.astype("datetime64[s, UTC]").astype("int64").astype(str)
    frame["paid_at"] = seconds + pattern[2:] if pattern.startswith("%s") else times.dt.strftime(pattern)
    made = drafted(tmp_path, frame)
    assert made.time is not None
    assert made.time.format == expected
    done, events = imported(tmp_path, made)
    assert done.rejects == 0
    assert abs(events["event_time"][0] - times[0]) < pd.Timedelta(minutes=1)


def test_seconds_since_nobody_knows_when_are_a_time_and_that_is_told(tmp_path: Path) -> None:
    frame = table().assign(paid_at=lambda held: np.arange(len(held)) * 60).rename(columns={"paid_at": "Time"})
    made = drafted(tmp_path, frame)
    assert made.time is not None
    assert (made.time.column, made.time.format) == ("Time", "seconds")
    assert any("unknown start" in note for note in made.notes)


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = table().assign(is_fraud=lambda held: held["is_fraud"].astype(bool))
    frame["tags"] = pd.Series([["a"]] * ROWS)
    frame["paid_at"] = pd.to_datetime(frame["paid_at"])
    path = tmp_path / "shop.parquet"
    frame.to_parquet(path)
    made = draft(path)
    done, _ = imported(tmp_path, made)
    assert (done.transactions, done.frauds) == (ROWS, frame["is_fraud"].sum())
    assert made.left_out["tags"] == "lists, objects or bytes"


VALUES = st.recursive(
    st.text() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(st.text(), max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(), VALUES, st.text(alphabet=st.characters()))
def test_whatever_names_and_values_are_the_toml_says_the_same(name: str, held: Value, said: str) -> None:
    assert tomllib.loads(f"{comment(said)}\n{line(name, held, said)}\n") == {name: held}
