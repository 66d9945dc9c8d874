"""The description: true to the routes and the contracts, and nothing generated from it makes the gateway fail."""

import asyncio
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Route

from fraud.contracts.examples import EXAMPLES
from gateway.http import app as application
from gateway.http.openapi import documents, openapi
from gateway.http.page import samples
from tests.support.gateways import shop

DOCUMENT = openapi()
CHECKS = [not_a_server_error, content_type_conformance, status_code_conformance, response_schema_conformance]


def test_every_route_is_described_and_nothing_else_is() -> None:
    made = application.ROUTES
    routes = {(route.path.replace(":path", ""), route.endpoint.__name__) for route in made if isinstance(route, Route)}
    described = {(path, one["operationId"]) for path, methods in DOCUMENT["paths"].items() for one in methods.values()}
    assert routes - {("/openapi.json", "get_openapi"), ("/docs", "get_page")} == described


@pytest.mark.parametrize("contract", ["transaction", "outcome", "label"])
def test_the_examples_of_the_contracts_fit_the_description(contract: str) -> None:
    name = contract.capitalize()
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema.validate(EXAMPLES[contract][1], schema)


def test_the_page_needs_nothing_from_elsewhere_and_shows_every_operation() -> None:
    text = documents()["page.html"].decode()
    assert "http://" not in text.replace("https://", "")
    assert not {"src=", "@import", "<link"} & set(text.split())
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in text


def test_generated_python_examples_are_python() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            compile(samples(path, method, operation)["python"], path, "exec")


@pytest.mark.parametrize(
    "operation", [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]
)
def test_whatever_is_sent_the_answer_is_described_and_no_500(tmp_path: Path, operation: str) -> None:
    """Half of the requests have a valid key; the answers are held to the description."""
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    found = next(
        one
        for one in (each.ok() for each in schema.get_all_operations() if isinstance(each, Ok))
        if one.definition.raw["operationId"] == operation
    )
    cases: list[schemathesis.Case[Any]] = []

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(found.as_strategy())
    def collect(case: schemathesis.Case[Any]) -> None:
        cases.append(case)

    async def scenario() -> None:
        async with shop(tmp_path) as s:
            for number, case in enumerate(cases):
                if number % 2:
                    case.headers["Authorization"] = f"Bearer {s.key}"
                arguments = case.as_transport_kwargs(base_url="http://gateway")
                wanted = ("method", "url", "headers", "params", "json", "data", "content")
                given_ = {name: arguments[name] for name in wanted if arguments.get(name) is not None}
                answer = await s.http.send(s.http.build_request(**given_))
                case.validate_response(answer, checks=CHECKS)

    collect()
    asyncio.run(scenario())
    assert len(cases) >= 20
