"""The generated contracts, and the examples that must stay readable."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from fraud.contracts.examples import EXAMPLES
from fraud.contracts.export import MODELS, asyncapi, documents, write
from fraud.decoding.decoder import Decoder
from fraud.money import Rates
from fraud.timestamps import parse_time

FOLDER = Path(__file__).parents[4] / "docs" / "reference" / "contracts"
KEPT = sorted(FOLDER.glob("examples/*.*/*.json"))


def contract_of(path: Path) -> str:
    return EXAMPLES[path.stem][0]


@pytest.mark.parametrize("path", sorted(documents()))
def test_the_folder_is_what_the_models_say(path: str) -> None:
    assert (FOLDER / path).read_text(encoding="utf-8") == documents()[path], "stale: run `make reference`"


def test_nothing_else_is_generated_into_the_folder() -> None:
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json") if path not in KEPT}
    assert found == set(documents())


def test_writing_fills_an_empty_folder(tmp_path: Path) -> None:
    write(tmp_path)
    assert (tmp_path / "asyncapi.json").read_text(encoding="utf-8") == documents()["asyncapi.json"]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_examples_of_every_published_version_are_still_read(path: Path) -> None:
    model = MODELS[contract_of(path)]
    event = model.model_validate_json(path.read_bytes())
    assert model.model_validate_json(event.model_dump_json()) == event


def test_examples_of_the_first_version_are_kept() -> None:
    assert {path.stem for path in KEPT if path.parent.name == "1.0"} == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_each_example_follows_its_json_schema(name: str) -> None:
    contract, content = EXAMPLES[name]
    schema = json.loads((FOLDER / f"schemas/{contract}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "changes", [{"amount": -1}, {"amount": 1.5}, {"customer_id": ""}, {"channel": "fax"}, {"event_time": 5}]
)
def test_the_json_schema_refuses_what_the_model_refuses(changes: dict[str, object]) -> None:
    schema = json.loads((FOLDER / "schemas/transaction.json").read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(EXAMPLES["transaction"][1] | changes, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", ["transaction", "transaction_minimal", "outcome"])
def test_input_examples_can_be_decoded(name: str) -> None:
    raw = json.dumps(EXAMPLES[name][1]).encode()
    decoded = Decoder(Rates.default()).decode([raw], [parse_time("2026-01-05T10:00:05Z")])
    assert decoded.rejects == []
    assert len(decoded.batch) == 1


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads(json.dumps(asyncapi()))
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_field_is_described() -> None:
    for model in MODELS.values():
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
