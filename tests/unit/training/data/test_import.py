"""Foreign tables become events: shipped mappings on real data where it is there, on hand-made rows elsewhere."""

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fraud.contracts.inbound import Outcome, Transaction
from training.commands.import_events import import_command
from training.data.feature_context import FeatureContext
from training.data.files.events import read_events
from training.data.files.json_lines import to_wire
from training.data.importing.importer import Imported, import_file
from training.data.importing.mapping import InvalidMapping, load_mapping, shipped

DATA = Path(os.environ.get("FRAUD_DATA_DIR", "../shared/data"))  # noqa: TID251 - where tests find data
ROWS = 20_000


def real(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is absent; set FRAUD_DATA_DIR to measure on it")
    return path


def done(mapping: str, source: Path, tmp_path: Path, limit: int | None = None) -> tuple[Imported, pd.DataFrame]:
    imported = import_file(source, load_mapping(mapping), tmp_path / "events.parquet", limit=limit)
    return imported, pd.read_parquet(imported.events)


def hand_made(mapping: str, tmp_path: Path, rows: list[dict[str, object]]) -> tuple[Imported, pd.DataFrame]:
    source = tmp_path / "source.csv"
    pd.DataFrame(rows).to_csv(source, index=False)
    return done(mapping, source, tmp_path)


def assert_on_contract(events: Path) -> None:
    table = pq.read_table(events)
    for kind, row in zip(table["type"].to_pylist(), to_wire(table), strict=True):
        (Transaction if kind == "transaction" else Outcome).model_validate_json(row)


def test_the_handbooks_data_are_mapped_row_by_row_with_its_label_delay(tmp_path: Path) -> None:
    source = real("fdh_simulated.parquet")
    imported, events = done("fdh", source, tmp_path, ROWS)
    original = pd.read_parquet(source).head(ROWS)
    assert (imported.rows, imported.transactions, imported.rejects) == (ROWS, ROWS, 0)
    paid = events[events["type"] == "transaction"]
    assert paid["amount"].tolist() == (original["TX_AMOUNT"] * 100).round().astype(int).tolist()
    assert (paid["event_time"].dt.tz_localize(None).to_numpy() == original["TX_DATETIME"].to_numpy()).all()
    labels = pd.read_parquet(imported.labels)
    assert len(labels) == original["TX_FRAUD"].sum()
    joined = labels.merge(paid, on="transaction_id")
    assert set(joined["received_at"] - joined["event_time"]) == {pd.Timedelta(days=7)}
    assert_on_contract(imported.events)


@pytest.mark.parametrize("part", ["uni", "multi"])
def test_multimaus_keeps_namibia_and_the_local_time(tmp_path: Path, part: str) -> None:
    imported, events = done("multimaus", real(f"multimaus_{part}.csv.gz"), tmp_path)
    original = pd.read_csv(DATA / f"multimaus_{part}.csv.gz", keep_default_na=False)
    assert imported.transactions == len(original)
    assert imported.frauds == original["Target"].sum()
    paid = events[events["type"] == "transaction"]
    assert (paid["card_country"] == "NA").sum() == (original["Country"] == "NA").sum()
    assert paid["card_country"].isna().sum() == 0
    assert paid["tz_offset_min"].notna().all()


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # synccfd's own
def test_synccfd_is_mapped_with_its_missing_terminals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synccfd = pytest.importorskip("synccfd", reason="synccfd is not installed")
    _, _, table = synccfd.DatasetGenerator(n_customers=40, n_terminals=60, nb_days=12).generate()
    capsys.readouterr()
    table.drop(columns=[c for c in table.columns if table[c].dtype == object and c != "TX_TYPE"]).to_parquet(
        tmp_path / "source.parquet"
    )
    imported, events = done("synccfd", tmp_path / "source.parquet", tmp_path)
    assert imported.transactions == len(table)
    assert imported.frauds == table["TX_FRAUD"].sum()
    assert set(events["channel"]) <= {"pos", "web"}
    assert_on_contract(imported.events)


def test_ieee_cis_hand_made_rows_build_a_customer_from_what_there_is(tmp_path: Path) -> None:
    columns = [*load_mapping("ieee-cis").source_columns()]
    row: dict[str, object] = dict.fromkeys(columns, "")
    row |= {"TransactionID": 1, "TransactionDT": 86400, "TransactionAmt": 68.5, "ProductCD": "W", "card1": 13926}
    row |= {"card4": "discover", "card6": "credit", "addr1": 315, "C1": 1.0, "D1": 14.0, "isFraud": 1}
    imported, events = hand_made("ieee-cis", tmp_path, [row, row | {"TransactionID": 2, "addr1": 204, "isFraud": 0}])
    assert imported.frauds == 1
    assert events["customer_id"].nunique() == 2
    assert events["card_id"].nunique() == 1
    assert json.loads(events["attributes"][0]) == {"c1": 1.0, "d1": 14.0}
    assert events["event_time"][0] == pd.Timestamp("2017-12-01", tz="UTC")


def test_ulb_hand_made_rows_are_customers_of_their_own(tmp_path: Path) -> None:
    row: dict[str, object] = {f"V{i}": i / 10 for i in range(1, 29)}
    row |= {"Time": 3600, "Amount": 149.62, "Class": 0}
    imported, events = hand_made("ulb", tmp_path, [row, row | {"Class": 1}])
    assert events["customer_id"].nunique() == 2
    assert events["amount"].tolist() == [14962, 14962]
    assert imported.frauds == 1
    assert json.loads(events["attributes"][0])["v28"] == 2.8


def test_sparkov_hand_made_rows_never_keep_the_card_number(tmp_path: Path) -> None:
    row: dict[str, object] = {
        "trans_date_trans_time": "2019-01-01 00:00:18",
        "cc_num": "4111111111111111",
        "merchant": "fraud_Rippin",
        "category": "misc_net",
        "amt": 4.97,
        "street": "561 Perry Cove",
        "zip": "02865",
        "city_pop": 3495,
        "trans_num": "0b242abb",
        "is_fraud": 1,
    }
    imported, events = hand_made("sparkov", tmp_path, [row, row | {"trans_num": "1f76529f"}])
    assert imported.transactions == 2
    assert "4111111111111111" not in events.to_csv()
    assert events["card_id"].nunique() == 1
    assert_on_contract(imported.events)


def test_paysim_hand_made_rows_start_at_the_given_hour(tmp_path: Path) -> None:
    row: dict[str, object] = {"step": 5, "type": "TRANSFER", "amount": 181.0, "nameOrig": "C1", "nameDest": "C2"}
    imported, events = hand_made("paysim", tmp_path, [row | {"isFraud": 1}])
    assert events["event_time"][0] == pd.Timestamp("2017-01-01T05:00", tz="UTC")
    assert imported.frauds == 1


def test_rows_off_the_contract_are_rejected_with_their_reason_and_the_rest_is_kept(tmp_path: Path) -> None:
    good: dict[str, object]
    good = {"step": 1, "type": "CASH", "amount": 1.0, "nameOrig": "C", "nameDest": "M", "isFraud": 1}
    bad: list[dict[str, object]] = [
        {"amount": "ten"},
        {"amount": -1},
        {"step": ""},
        {"nameOrig": ""},
        {"nameOrig": "x" * 300},
        {"amount": "inf"},
    ]
    imported, _ = hand_made("paysim", tmp_path, [good, *({**good, **change} for change in bad)])
    assert (imported.transactions, imported.rejects, imported.frauds) == (1, len(bad), 1)
    rejects = [json.loads(line) for line in imported.rejects_file.read_text().splitlines()]
    assert [reject["row"] for reject in rejects] == [1, 2, 3, 4, 5, 6]
    wheres = [reject["detail"].split(":")[0] for reject in rejects]
    assert wheres == ["amount", "amount", "event_time", "customer_id", "customer_id", "amount"]


def test_a_row_with_an_invalid_optional_value_is_kept_and_read_without_it_as_the_service_would(tmp_path: Path) -> None:
    row: dict[str, object]
    row = {"step": 1, "type": "CASH", "amount": 1.0, "nameOrig": "C", "nameDest": "x" * 300, "isFraud": 1}
    imported, _ = hand_made("paysim", tmp_path, [row])
    assert (imported.transactions, imported.rejects) == (1, 0)
    events = read_events(imported.events, FeatureContext())
    assert events.table["merchant_id"].to_pylist() == [None] * len(events.batch)
    assert events.batch.malformed.all()


def test_rows_out_of_order_are_sorted_and_each_is_followed_by_its_outcome(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"step": step, "type": "T", "amount": 1, "nameOrig": f"C{step}", "nameDest": "M", "isFraud": 0}
        for step in (3, 1, 2)
    ]
    _, events = hand_made("paysim", tmp_path, rows)
    assert events["customer_id"].tolist() == [f"paysim-C{n}" for n in (1, 1, 2, 2, 3, 3)]
    assert events["type"].tolist() == ["transaction", "outcome"] * 3


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_mapping_loads_and_says_on_what_it_was_tested(name: str) -> None:
    assert "tested on" in load_mapping(name).about


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "not TOML"),
        ("name = '\udc95'", "not TOML"),
        ("name = 'x'\nabout = ''\ntime = {from = 'a'}\namount = {from = 'b'}\n[fields]\nfoo = {constant = 1}\n", "foo"),
        ("name = 'x'\nabout = ''\ntime = {from = 'a'}\namount = {from = 'b'}\n[fields]\n", "is needed"),
    ],
)
def test_a_broken_mapping_is_named_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InvalidMapping, match=complaint):
        load_mapping(str(path))


def test_a_file_without_the_columns_is_one_line_on_the_command_line(tmp_path: Path) -> None:
    source = tmp_path / "other.csv"
    source.write_text("a,b\n1,2\n", encoding="utf-8")
    result = CliRunner().invoke(
        import_command, [str(source), "--mapping", "fdh", "--out", str(tmp_path / "events.parquet")]
    )
    assert result.exit_code == 1
    assert "has no column" in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "events.parquet").exists()


def test_the_command_line_reports_as_json(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("step,type,amount,nameOrig,nameDest,isFraud\n1,T,1.5,C,M,1\n", encoding="utf-8")
    out = tmp_path / "events.parquet"
    result = CliRunner().invoke(import_command, [str(source), "--mapping", "paysim", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["transactions"] == 1
