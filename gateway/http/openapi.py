"""The gateway's description: OpenAPI 3.1, made from the contracts' models, with an example of each request.

`docs/reference/openapi.json` is this document, written by `make reference`; a test fails when it is stale.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec
from pydantic.json_schema import models_json_schema

from fraud.contracts.examples import EXAMPLES
from fraud.contracts.inbound import SCHEMA_VERSION, Label, Outcome, Transaction
from gateway.http.batches import MOST_ITEMS
from gateway.http.page import page
from gateway.messages import Answer, Rejected

Json: TypeAlias = dict[str, Any]

_REF: Final = "#/components/schemas/{}"
_KEY: Final[list[Json]] = [{"key": []}]
_BODY: Final = "application/json"
_PROBLEM: Final = "application/problem+json"


def _ref(name: str) -> Json:
    return {"$ref": _REF.format(name)}


def _content(schema: Json, example: object = None, kind: str = _BODY) -> Json:
    return {kind: {"schema": schema} | ({} if example is None else {"example": example})}


def _problems(*statuses: int) -> Json:
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


_PROBLEMS: Final = {
    400: "what was sent cannot be read",
    401: "no valid key, or no valid signature",
    403: "the key may not be used for this",
    404: "not known, or another shop's",
    409: "the id is known with other content, or the signature was seen before",
    413: "too large",
    422: "it breaks the contract; `reason` is the dead letter's",
    429: "over the key's rate; Retry-After says when to come again",
    503: "not accepted; Retry-After says when to come again",
}
_HEADERS: Final = [
    {
        "name": "X-Request-Id",
        "in": "header",
        "description": "goes on to Kafka and to alerts, and comes back; made where it is absent",
        "schema": {"type": "string", "maxLength": 128},
    }
]
_FALLBACK: Final = {
    "transaction_id": "tx-7f3a91",
    "action": "challenge",
    "fallback": True,
    "decision": "/v1/decisions/tx-7f3a91",
    "fallback_reason": "timeout",
}


def _without_shop(example: Mapping[str, object]) -> Json:
    return {name: value for name, value in example.items() if name != "shop_id"}


def _payments() -> Json:
    deadline = {
        "name": "X-Deadline-Ms",
        "in": "header",
        "description": "milliseconds for the answer, within the operator's bounds",
        "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
    }
    return {
        "post": {
            "operationId": "post_payment",
            "summary": "Ask what to do with a payment",
            "description": "Answered by the decision of the scorer, or in time by the declared fallback, which says "
            "so; the payment is scored all the same. The same content gets the same answer for 24 hours.",
            "security": _KEY,
            "parameters": [deadline, *_HEADERS],
            "requestBody": {
                "required": True,
                "content": _content(_ref("Transaction"), _without_shop(EXAMPLES["transaction"][1])),
            },
            "responses": {
                "200": {"description": "what to do", "content": _content(_ref("Answer"), _FALLBACK)},
                **_problems(400, 401, 403, 409, 413, 422, 429),
                "503": {
                    "description": "not accepted: the fallback with `accepted: false`, or too busy to be read",
                    "headers": {"Retry-After": {"schema": {"type": "string"}}},
                    "content": _content(_ref("Answer")) | _content(_ref("Problem"), kind=_PROBLEM),
                },
            },
        }
    }


def _batch(name: str, model: str, summary: str) -> Json:
    one = _ref(model)
    schema = {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_ITEMS}]}
    return {
        "post": {
            "operationId": f"post_{name}",
            "summary": summary,
            "description": "One, or an array; each is accepted or refused by itself. What is accepted is delivered, "
            "whatever becomes of the broker.",
            "security": _KEY,
            "parameters": _HEADERS,
            "requestBody": {
                "required": True,
                "content": _content(schema, _without_shop(EXAMPLES[model.lower()][1])),
            },
            "responses": {
                "202": {"description": "what was accepted", "content": _content(_ref("Accepted"))},
                **_problems(400, 401, 403, 409, 413, 422, 429, 503),
            },
        }
    }


def _dispute(name: str, title: str, answer: Json, parameters: list[Json]) -> Json:
    return {
        "post": {
            "operationId": f"post_{name}",
            "summary": f"Take in a webhook of {title}",
            "description": "Verified by its signature, not by a key. Disputes and warnings become labels; what gives "
            "no label is kept and counted.",
            "parameters": [*parameters, *_HEADERS],
            "requestBody": {"required": True, "content": _content({"type": "object"})},
            "responses": {
                "200": {"description": "taken in", "content": answer},
                **_problems(400, 401, 409, 413, 503),
            },
        }
    }


def _lookup(operation: str, summary: str, names: tuple[str, ...], schema: Json) -> Json:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names
    ]
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "security": _KEY,
            "parameters": [*parameters, *_HEADERS],
            "responses": {
                "200": {"description": "what is known", "content": _content(schema)},
                **_problems(401, 403, 404, 429, 503),
            },
        }
    }


def openapi() -> Json:
    """The document."""
    signature = {
        "name": "Stripe-Signature",
        "in": "header",
        "schema": {"type": "string"},
        "description": "t=SECONDS,v1=HEX",
    }
    received = {"type": "object", "properties": {"received": {"const": True}}, "required": ["received"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fraudstream gateway",
            "version": SCHEMA_VERSION,
            "description": "An answer at checkout within a deadline; outcomes, labels and disputes in.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/payments": _payments(),
            "/v1/outcomes": _batch("outcomes", "Outcome", "Tell what became of payments"),
            "/v1/labels": _batch("labels", "Label", "Tell what somebody found out about payments"),
            "/v1/disputes/stripe": _dispute("stripe", "Stripe", _content(received), [signature]),
            "/v1/disputes/adyen": _dispute("adyen", "Adyen", _content({"const": "[accepted]"}, kind="text/plain"), []),
            "/v1/decisions/{id}": _lookup(
                "get_decision", "Read what became of a payment", ("id",), _ref("DecisionState")
            ),
            "/v1/entities/{kind}/{id}": _lookup(
                "get_entity", "Read what the scorer's history knows of an entity", ("kind", "id"), {"type": "object"}
            ),
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`gateway keys add SHOP`"}},
            "responses": {f"Problem{status}": _problem(text) for status, text in _PROBLEMS.items()},
            "schemas": _schemas(),
        },
    }


def _problem(text: str) -> Json:
    return {"description": text, "content": _content(_ref("Problem"), kind=_PROBLEM)}


def _schemas() -> Json:
    _, contracts = models_json_schema(
        [(model, "validation") for model in (Transaction, Outcome, Label)], ref_template="#/components/schemas/{model}"
    )
    _, answers = msgspec.json.schema_components([Answer, Rejected], ref_template="#/components/schemas/{name}")
    label = contracts["$defs"]["Label"]
    # Filled in here, unlike on the topic.
    label["required"] = [name for name in label["required"] if name not in {"received_at", "schema_version"}]
    answer_or_none = {"anyOf": [_ref("Answer"), {"type": "null"}]}
    integer, text = {"type": "integer", "minimum": 0}, {"type": "string"}
    refusal = {"type": "object", "required": ["item", "reason", "detail"]}
    return {
        **contracts["$defs"],
        **answers,
        "DecisionState": {
            "type": "object",
            "required": ["transaction_id", "status", "decision", "answered"],
            "properties": {
                "transaction_id": text,
                "status": {"enum": ["decided", "pending", "rejected"]},
                "decision": {"anyOf": [_ref("Answer"), _ref("Rejected"), {"type": "null"}]},
                "answered": {**answer_or_none, "description": "what was answered without a decision"},
            },
        },
        "Accepted": {
            "type": "object",
            "required": ["accepted", "repeated", "refused"],
            "properties": {
                "accepted": integer,
                "repeated": {**integer, "description": "known already, with the same content"},
                "refused": {
                    "type": "array",
                    "items": {**refusal, "properties": {"item": integer, "reason": text, "detail": text}},
                },
            },
        },
        "Problem": {
            "type": "object",
            "required": ["title", "status", "reason", "detail"],
            "properties": {"title": text, "status": {"type": "integer"}, "reason": text, "detail": text},
        },
    }


def documents() -> dict[str, bytes]:
    """The document and its page, as they are served."""
    document = openapi()
    return {"openapi.json": (json.dumps(document, indent=2) + "\n").encode(), "page.html": page(document).encode()}
