"""The table of fields, and what is made of it or held to it."""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pydantic import BaseModel, ValidationError

from fraud.contracts.examples import EXAMPLES
from fraud.contracts.fields import FIELD, FIELDS, EventField, FieldType
from fraud.contracts.inbound import SCHEMA_VERSION, Attempt, Outcome, Transaction
from fraud.decoding.structs import AttemptEvent, OutcomeEvent

ROOT = Path(__file__).parents[4]
GOOD: dict[FieldType, list[object]] = {
    FieldType.ID: ["x", "y" * 256],
    FieldType.TOKEN: ["x", "y" * 256],
    FieldType.TEXT: ["x", "y" * 256],
    FieldType.TIME: ["2026-01-05T10:00:00.25+01:00"],
    FieldType.AMOUNT: [0, "129.90"],
    FieldType.FLAG: [True, False],
    FieldType.ATTRIBUTES: [{}, {"size": 4, "colour": "red"}],
}
BAD: dict[FieldType, list[object]] = {
    FieldType.ID: ["", "y" * 257, 5],
    FieldType.TOKEN: ["", "y" * 257, 5],
    FieldType.TEXT: ["", "y" * 257, 5],
    FieldType.TIME: [5, {}],
    FieldType.AMOUNT: [-1, 1.5, {}],
    FieldType.FLAG: ["yes", 1],
    FieldType.ATTRIBUTES: ["{}", {"": 1}, {"nested": {}}],
    FieldType.CHOICE: ["", 5, "y" * 257],
    FieldType.COUNT: ["5", 1.5],
}


def place(body: type) -> str:
    """Where a field's line belongs: file, class and its last line."""
    lines, first = inspect.getsourcelines(body)
    path = Path(inspect.getsourcefile(body) or "").relative_to(ROOT)
    return f"class {body.__name__} in {path}:{first + len(lines) - 1}"


def model_of(field: EventField) -> type[BaseModel]:
    return Outcome if field.of_outcomes else Attempt


def struct_of(field: EventField) -> type[msgspec.Struct]:
    return OutcomeEvent if field.of_outcomes else AttemptEvent


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_the_contract_and_the_fast_reader_have_each_field_of_the_table(field: EventField) -> None:
    model, struct = model_of(field), struct_of(field)
    assert field.name in model.model_fields, f"{field.name} is missing: add it to {place(model)}"
    assert field.name in struct.__struct_fields__, f"{field.name} is missing: add it to {place(struct)}"
    assert model.model_fields[field.name].is_required() is field.required
    (read,) = (f for f in msgspec.structs.fields(struct) if f.name == field.name)
    assert read.required is field.required


def test_the_table_has_each_field_of_the_contract_and_of_the_fast_reader() -> None:
    envelope = {"type", "schema_version"}
    for names in (Outcome.model_fields, OutcomeEvent.__struct_fields__):
        missing = set(names) - envelope - set(FIELD)
        assert not missing, f"{missing}: add a line to FIELDS in fraud/contracts/fields.py"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_both_take_what_the_table_says_that_a_field_holds(field: EventField) -> None:
    good, bad = list(GOOD.get(field.type, [])), list(BAD[field.type])
    if field.limits is not None:
        low, high = field.limits
        good, bad = [low, high], [*bad, low - 1, high + 1]
    example = EXAMPLES["outcome" if field.of_outcomes else "transaction"][1]
    model, struct = (Outcome, OutcomeEvent) if field.of_outcomes else (Transaction, AttemptEvent)
    plain = {name: value for name, value in example.items() if name != "type" or model is Outcome}
    for value in good:
        model.model_validate(example | {field.name: value})
        msgspec.convert(plain | {field.name: value}, struct)
    for value in bad:
        with pytest.raises(ValidationError):
            model.model_validate(example | {field.name: value})
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(plain | {field.name: value}, struct)


def test_counts_have_limits_and_nothing_else_does() -> None:
    assert {field.name for field in FIELDS if field.limits} == {f.name for f in FIELDS if f.type is FieldType.COUNT}


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_a_field_that_came_later_is_optional_and_raised_the_minor_version() -> None:
    assert all(not field.required for field in FIELDS if field.since != "1.0")
    assert max(version(field.since) for field in FIELDS) <= version(SCHEMA_VERSION)


def test_examples_of_a_version_hold_no_field_of_a_later_one() -> None:
    for folder in (ROOT / "docs/reference/contracts/examples").glob("*.*/"):
        for name in ("transaction", "transaction_minimal", "outcome"):
            held = msgspec.json.decode((folder / f"{name}.json").read_bytes())
            later = [key for key in held if key in FIELD and version(FIELD[key].since) > version(folder.name)]
            assert not later, folder


LINES = {
    "fraud/contracts/fields.py": (
        '    _F("merchant_category", _T.TEXT, category=True),\n',
        '    _F("coupon_code", _T.TEXT, category=True, since="1.1"),\n',
    ),
    "fraud/contracts/inbound.py": (
        '    shipping_method: Text | None = Field(None, description="standard, express, pick-up …")\n',
        '    coupon_code: Text | None = Field(None, description="coupon that was redeemed")\n',
    ),
    "fraud/decoding/structs.py": ("    shipping_method: Text | None = None\n", "    coupon_code: Text | None = None\n"),
}
"""File -> a line of it, and the one of the new field to put below."""

USES = """
import json
import pyarrow as pa
from fraud.decoding.batch import CATEGORIES, hash_category
from fraud.decoding.decoder import Decoder
from fraud.features.catalogue import SPEC
from fraud.money import Rates
from fraud.privacy.card_numbers import tokeniser
from simulator.event_table import EVENT_SCHEMA
from training.data.files.json_lines import to_wire
from training.data.files.parquet_columns import to_columns
from training.data.files.schema import EVENTS

token, rates = tokeniser(b"secret"), Rates.default()
event = {"type": "transaction", "schema_version": "1.1", "transaction_id": "t", "customer_id": "c", "amount": 100,
         "currency": "EUR", "event_time": "2026-01-05T10:00:00Z"}
def decoded(coupon):
    found = Decoder(rates, pan_token=token).decode([json.dumps(event | {"coupon_code": coupon}).encode()], [2 ** 51])
    return found, int(found.batch.categories[0, CATEGORIES.index("coupon_code")])

found, category = decoded("SPRING")
assert category == hash_category("SPRING") and found.events[0].coupon_code == "SPRING"
assert decoded(5)[0].ignored == {0: ("coupon_code",)}
assert decoded("4111 1111 1111 1111")[0].masked == 1
(feature,) = (feature for feature in SPEC.features if feature.name == "coupon_code")
assert feature.wording.said == "coupon code {text}"
assert EVENT_SCHEMA.field("coupon_code").type == EVENTS.field("coupon_code").type == pa.string()
row = {**event, "event_time": found.batch.time[0].item(), "coupon_code": "SPRING"}
table = pa.Table.from_pylist([{k: v for k, v in row.items() if k != "schema_version"}], EVENTS)
(wire,) = to_wire(table)
assert json.loads(wire)["coupon_code"] == "SPRING"
columns = to_columns(table, rates=rates, token=token).batch
assert columns.categories.tobytes() == found.batch.categories.tobytes()
"""


def test_a_new_text_field_takes_three_lines(tmp_path: Path) -> None:
    for package in ("fraud", "runtime", "simulator", "training"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "built"))
    for path, (above, line) in LINES.items():
        text = (tmp_path / path).read_text(encoding="utf-8")
        assert text.count(above) == 1
        (tmp_path / path).write_text(text.replace(above, above + line), encoding="utf-8")
    run = subprocess.run([sys.executable, "-c", USES], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
