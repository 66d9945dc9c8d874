"""The contracts of what goes out: alerts, decisions, dead letters and announcements of models, as strict models."""

import uuid
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field

from fraud.contracts.inbound import (
    SCHEMA_VERSION,
    Action,
    Contract,
    Probability,
    Reason,
    RiskLevel,
    SchemaVersion,
    Stage,
    Text,
    Time,
    Transaction,
)

ALERT_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "alerts.fraudstream")
"""Name space of alert ids; part of the contract, hence never changed."""

MODEL: Final = "fraud"
Move: TypeAlias = Literal["promotion", "rollback", "shadow"]


class Source(Contract):
    """Where a record stands in Kafka."""

    topic: Text = Field(description="topic")
    partition: Annotated[int, Field(ge=0)] = Field(description="partition")
    offset: Annotated[int, Field(ge=0)] = Field(description="offset")


class AlertReason(Contract):
    """One reason for a score, worded for an analyst."""

    code: Text = Field(description="stable name of the group of features")
    text: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="sentence with this event's values")
    contribution: float = Field(description="its share of the score, in log-odds")


class Costs(Contract):
    """Expected cost of each action, in units of the base currency."""

    allow: float = Field(description="expected cost of letting it through")
    challenge: float = Field(description="expected cost of asking for a second factor")
    review: float = Field(description="expected cost of a manual review")
    block: float = Field(description="expected cost of refusing it")


class Scored(Contract):
    """What alerts and decisions both say of a scored transaction."""

    schema_version: SchemaVersion = Field(SCHEMA_VERSION, description="version of this contract")
    transaction_id: Text = Field(description="the scored transaction")
    customer_id: Text = Field(description="its customer; also the record's key")
    event_time: Time = Field(description="when the transaction happened")
    scored_at: Time = Field(description="when it was scored, by the service's clock")
    stage: Stage = Field(description="when in the payment it was scored")
    score: Probability = Field(description="calibrated probability of fraud; the threshold where the model gave none")
    threshold: Probability = Field(description="score at which this amount is no longer allowed")
    action: Action = Field(description="what was done; differs where rules or a lot said otherwise")
    model_version: Annotated[int, Field(ge=0)] = Field(description="version of the model")
    policy_version: Text = Field(description="version of the policy")
    features_fingerprint: Text = Field(description="fingerprint of the feature code")
    source: Source = Field(description="where the transaction stands")
    ignored: list[Text] | None = Field(
        None, description="optional fields of the transaction that were invalid, hence treated as missing"
    )
    rules: list[Text] | None = Field(None, description="rules and conditions that acted, `id@version`")
    levers: list[Text] | None = Field(None, description="levers that stood in for the policy, `id@version`")


class Alert(Scored):
    """A flagged transaction. Act on it idempotently by `alert_id`."""

    alert_id: Text = Field(description="uuid5 of transaction_id and stage: the same for every delivery")
    action: Action = Field(description="the cheapest action")
    risk_level: RiskLevel = Field(description="coarse level for people")
    reasons: list[AlertReason] = Field(description="up to five, strongest first")
    costs: Costs = Field(description="expected cost of each action")
    transaction: Transaction = Field(description="the transaction itself, card numbers masked")


class Shadow(Contract):
    """What a model on probation would have said."""

    model_version: Annotated[int, Field(ge=0)] = Field(description="version of the shadow model")
    score: Probability = Field(description="its calibrated score")
    action: Action = Field(description="what its policy would have done")


class Decision(Scored):
    """One scored transaction, flagged or not: the log that evaluation and the label ledger read."""

    raw_score: float = Field(description="score before calibration")
    model_action: Action = Field(description="what the policy chose")
    propensity: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        description="probability of `action` given all that is no lot; 1 where none was drawn"
    )
    controls_offset: Annotated[int, Field(ge=0)] | None = Field(
        None, description="the controls log up to which, exclusive, controls were known"
    )
    rules_shadow: list[Text] | None = Field(None, description="rules in shadow that would have acted, `id@version`")
    alert_id: Text | None = Field(None, description="the alert, where there is one")
    features_crc: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(description="CRC-32 of the row of features")
    late: bool = Field(description="older than an event that its history had already seen")
    history_from: Time | None = Field(None, description="where history began, when that is too recent to be complete")
    shadow: Shadow | None = Field(None, description="the shadow model's view, where there is one")


class DeadLetter(Contract):
    """Headers of a dead letter; its value is the message as it came, its key the source's key, card numbers masked."""

    reason: Reason = Field(description="slug of the reason", strict=False)
    detail: Annotated[str, Field(max_length=1024)] = Field(description="one line for people, without personal data")
    source_topic: Text = Field(description="topic that it was read from")
    source_partition: Annotated[int, Field(ge=0)] = Field(description="partition that it was read from")
    source_offset: Annotated[int, Field(ge=0)] = Field(description="offset that it was read from")
    time: Time = Field(description="when it was set aside, by the service's clock")
    masked: Annotated[int, Field(ge=0)] = Field(0, description="card numbers replaced in value, key and headers")
    truncated: bool = Field(False, description="the value is cut, or left out, and cannot be redriven")
    size: Annotated[int, Field(ge=0)] | None = Field(None, description="bytes of the whole value, where it is cut")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="SHA-256 of the whole value, where it is cut"
    )
    attempt: Annotated[int, Field(ge=0)] = Field(0, description="how often it has been redriven before")

    def headers(self) -> list[tuple[str, bytes]]:
        """As Kafka headers: name and UTF-8 text."""
        fields = self.model_dump(mode="json", exclude_none=True)
        return [
            (name, (str(value).lower() if value is True or value is False else str(value)).encode())
            for name, value in fields.items()
        ]

    @classmethod
    def from_headers(cls, headers: list[tuple[str, bytes]]) -> Self:
        """The dead letter of a record's headers; others, such as trace ids, are ignored.

        Raises:
            pydantic.ValidationError: when one is absent or wrong.
        """
        return cls.model_validate_strings({name: value.decode() for name, value in headers if name in cls.model_fields})


class Announcement(Contract):
    """A promotion, a shadow or a rollback: what became of a version of the model."""

    schema_version: SchemaVersion = Field(SCHEMA_VERSION, description="version of this contract")
    model: Text = Field(MODEL, description="which model; also the record's key")
    type: Move = Field(description="what happened")
    version: Annotated[int, Field(ge=1)] = Field(description="version that serves now, or shadows")
    former: Annotated[int, Field(ge=1)] | None = Field(None, description="version that served before, if any")
    at: Time = Field(description="when, by the clock of whoever did it")
    reason: Annotated[str, Field(min_length=1)] = Field(description="one line for people")
    features_fingerprint: Text = Field(description="fingerprint of the feature code")
    run: Annotated[int, Field(ge=0)] = Field(0, description="run of the loop that did it; 0 outside one")


def alert_id(transaction_id: str, stage: str) -> str:
    """The same id for every alert on a transaction at a stage, however often it is scored."""
    return str(uuid.uuid5(ALERT_NAMESPACE, f"{transaction_id}\n{stage}"))
