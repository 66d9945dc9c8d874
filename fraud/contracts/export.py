"""Writes `docs/reference/contracts/` from the models: `python -m fraud.contracts.export [FOLDER]`.

JSON Schemas, one AsyncAPI 3.0 document that describes every topic, and an example of each message. A test fails when
the folder is stale. `examples/<version>/` is copied once a version is out and never changes: what was valid stays so.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from fraud.contracts.cases import CaseEvent
from fraud.contracts.controls import Control
from fraud.contracts.examples import EXAMPLES, Json
from fraud.contracts.inbound import SCHEMA_VERSION, Label, Outcome, Transaction
from fraud.contracts.outbound import Alert, Announcement, DeadLetter, Decision

FOLDER: Final = Path("docs/reference/contracts")
MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "transaction": Transaction,
    "outcome": Outcome,
    "label": Label,
    "alert": Alert,
    "decision": Decision,
    "dead_letter": DeadLetter,
    "announcement": Announcement,
    "case_event": CaseEvent,
    "control": Control,
}


def documents() -> dict[str, str]:
    """Every generated file: its path below the folder, and its text."""
    files: dict[str, Json] = {f"schemas/{name}.json": schema(model) for name, model in MODELS.items()}
    files |= {f"examples/{name}.json": content for name, (_, content) in EXAMPLES.items()}
    files["asyncapi.json"] = asyncapi()
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in files.items()}


def schema(model: type[BaseModel]) -> Json:
    """The JSON Schema of one contract."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def asyncapi() -> Json:
    """All topics in one AsyncAPI 3.0 document."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in MODELS.values()], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fraudstream",
            "version": SCHEMA_VERSION,
            "description": "Payment events in; alerts, decisions and dead letters out. Topic names are settings; these "
            "are the defaults. Outputs are written in transactions: read them with isolation.level=read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(*facts) for name, facts in _CHANNELS.items()},
        "operations": {
            f"{_ACTIONS[name]}_{name}": {
                "action": _ACTIONS[name],
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in facts[2]],
            }
            for name, facts in _CHANNELS.items()
        },
        "components": {
            "messages": {name: _message(name) for name in MODELS},
            "schemas": definitions["$defs"],
        },
    }


_CHANNELS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "transactions": (
        "payments.transactions.v1",
        "Payment attempts and what became of them, in one order.",
        ("transaction", "outcome"),
    ),
    "labels": ("fraud.labels.v1", "What somebody found out about transactions.", ("label",)),
    "alerts": ("fraud.alerts.v1", "One alert for each flagged transaction.", ("alert",)),
    "decisions": ("fraud.decisions.v1", "One decision for each scored transaction.", ("decision",)),
    "dead_letters": ("payments.transactions.v1.dlq", "Messages that could not be scored.", ("dead_letter",)),
    "models": ("fraud.models.v1", "What becomes of versions of the model.", ("announcement",)),
    "cases": ("fraud.cases.v1", "What analysts do: claims, notes, verdicts, merges.", ("case_event",)),
    "controls": ("fraud.controls.v1", "Rules, list entries, conditions and levers, whole versions.", ("control",)),
}
_ACTIONS: Final = {
    "transactions": "receive",
    "labels": "receive",
    "alerts": "send",
    "decisions": "send",
    "dead_letters": "send",
    "models": "send",
    "cases": "send",
    "controls": "receive",
}
_KEYS: Final = {
    "label": "transaction_id",
    "dead_letter": "the key of the source record",
    "announcement": "model",
    "case_event": "case_id",
    "control": "control_id",
}


def _channel(topic: str, description: str, messages: tuple[str, ...]) -> Json:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _message(name: str) -> Json:
    model = MODELS[name]
    shape = {"$ref": f"#/components/schemas/{model.__name__}"}
    examples = [content for contract, content in EXAMPLES.values() if contract == name]
    key = {"type": "string", "description": _KEYS.get(name, "customer_id")}
    message: Json = {
        "name": name,
        "title": model.__name__,
        "summary": (model.__doc__ or "").splitlines()[0],
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }
    if name == "dead_letter":
        raw = {"type": "string", "format": "binary", "description": "the message as it came, card numbers masked"}
        return {**message, "contentType": "application/octet-stream", "headers": shape, "payload": raw}
    return {**message, "payload": shape, "examples": [{"payload": content} for content in examples]}


def write(folder: Path) -> None:
    """Writes every document below the folder."""
    for path, text in documents().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
