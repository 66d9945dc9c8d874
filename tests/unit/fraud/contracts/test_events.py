"""The event contracts."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fraud.contracts.examples import EXAMPLES
from fraud.contracts.export import MODELS
from fraud.contracts.inbound import MAX_ATTRIBUTES, Label, Outcome, Reason, Transaction, is_known_schema
from fraud.contracts.outbound import Alert, DeadLetter, alert_id

MINIMAL = EXAMPLES["transaction_minimal"][1]


def transaction(**changes: object) -> Transaction:
    return Transaction.model_validate(MINIMAL | changes)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_event_survives_writing_and_reading(name: str) -> None:
    contract, content = EXAMPLES[name]
    event = MODELS[contract].model_validate_json(MODELS[contract].model_validate(content).model_dump_json())
    assert event == MODELS[contract].model_validate(content)


def test_events_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        transaction().amount = 5  # type: ignore[misc]  # that is the point


def test_unknown_fields_are_ignored_and_null_means_absent() -> None:
    assert transaction(novelty={"a": [1]}, ip=None) == transaction()


@pytest.mark.parametrize(
    "name", ["transaction_id", "customer_id", "event_time", "amount", "currency", "schema_version"]
)
def test_a_required_field_may_not_be_missing(name: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        Transaction.model_validate({key: value for key, value in MINIMAL.items() if key != name})


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": float("nan")}, {"amount": float("inf")}, {"amount": 1.0}, {"amount": True}, {"amount": "-1"},
        {"attributes": {"a": float("nan")}}, {"attributes": {"a": [True]}}, {"attributes": {"a": 2**63}},
        {"attributes": {str(i): i for i in range(MAX_ATTRIBUTES + 1)}}, {"card_id": "x" * 257},
        {"card_id": ""}, {"card_id": "a\0"},
        {"attempt_no": 1.0}, {"attempt_no": "1"}, {"is_guest": 1}, {"event_time": 1767607200}, {"type": "outcome"},
        {"event_time": "2026-01-05T10:00:00"}, {"currency": "XXX"}, {"schema_version": "2.0"},
    ],
)  # fmt: skip
def test_wrong_values_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        transaction(**changes)


@pytest.mark.parametrize(
    ("version", "known"), [("1.0", True), ("1.12", True), ("2.0", False), ("1", False), ("1.a", False)]
)
def test_any_minor_version_of_the_first_major_one_is_read(version: str, known: bool) -> None:
    assert is_known_schema(version) is known


def test_the_alert_id_depends_on_transaction_and_stage_only() -> None:
    assert alert_id("tx-1", "pre_auth") == alert_id("tx-1", "pre_auth")
    assert len({alert_id("tx-1", "pre_auth"), alert_id("tx-1", "post_auth"), alert_id("tx-2", "pre_auth")}) == 3
    assert uuid.UUID(alert_id("tx-1", "pre_auth")).version == 5
    assert alert_id("tx-7f3a91", "pre_auth") == "35bdbe4b-3963-5de8-9f69-97f7efcc4871", "consumers remember it"


def test_scores_are_probabilities() -> None:
    with pytest.raises(ValidationError):
        Alert.model_validate(EXAMPLES["alert"][1] | {"score": 1.01})


@pytest.mark.parametrize("changes", [{"verdict": "maybe"}, {"source": "rumour"}, {"received_at": None}])
def test_a_label_says_who_says_what_and_when(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Label.model_validate(EXAMPLES["label"][1] | changes)


def test_an_outcome_needs_its_kind() -> None:
    with pytest.raises(ValidationError, match="kind"):
        Outcome.model_validate(EXAMPLES["outcome"][1] | {"kind": "lost"})


@given(st.sampled_from(list(Reason)), st.text(max_size=100), st.booleans(), st.integers(0, 9))
def test_dead_letter_headers_can_be_read_back(reason: Reason, detail: str, truncated: bool, attempt: int) -> None:
    content = EXAMPLES["dead_letter_headers"][1]
    letter = DeadLetter.model_validate(
        content | {"reason": reason, "detail": detail, "truncated": truncated, "attempt": attempt}
    )
    assert DeadLetter.from_headers([*letter.headers(), ("trace-id", b"\xff")]) == letter


def test_incomplete_dead_letter_headers_are_refused() -> None:
    with pytest.raises(ValidationError):
        DeadLetter.from_headers([("reason", b"empty")])
