"""The contract of controls: rules, list entries, conditions on an entity and levers of the policy.

A record of the controls topic is a whole version of one control; the topic has one partition and is kept for ever, so
that the log is the audit. Which versions count is `fraud.controls.state`'s to say, and the same for every reader.
"""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from fraud.contracts.inbound import SCHEMA_VERSION, Contract, Probability, SchemaVersion, Text, Time

MAX_VALUES: Final = 1_000
"""Values of one list entry: a longer list is several entries, so that no record outgrows what a broker takes."""

MAX_RULE: Final = 4_096
"""Characters of a rule's expression."""

ControlKind: TypeAlias = Literal["rule", "list_entry", "condition", "policy"]
Status: TypeAlias = Literal["draft", "shadow", "live", "paused", "archived"]
RuleEffect: TypeAlias = Literal["block", "allow", "review", "challenge"]
ConditionEffect: TypeAlias = Literal["block", "allow", "review"]
ControlId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
ListName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
FieldName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,63}$")]
Money: TypeAlias = Annotated[float, Field(ge=0.0)]
Value: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
Values: TypeAlias = Annotated[list[Value], Field(min_length=1, max_length=MAX_VALUES)]


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


Said: TypeAlias = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_not_blank)]


class Rule(Contract):
    """What a rule does, and when."""

    when: Annotated[str, Field(min_length=1, max_length=MAX_RULE)] = Field(
        description="expression over the payment that is true where the rule fires"
    )
    effect: RuleEffect = Field(description="action that it asks for")
    max_amount: Money | None = Field(None, description="of an allow rule: up to this amount, base currency")
    max_score: Probability | None = Field(None, description="of an allow rule: up to this score")

    @model_validator(mode="after")
    def _with_ceilings(self) -> Self:
        ceilings = (self.max_amount, self.max_score)
        if self.effect == "allow" and None in ceilings:
            raise ValueError("an allow rule needs its ceilings max_amount and max_score")
        if self.effect != "allow" and ceilings != (None, None):
            raise ValueError("max_amount and max_score are the ceilings of an allow rule")
        return self


class ListEntry(Contract):
    """Values that stand in a list."""

    list: ListName = Field(description="name of the list, as rules read it")
    values: Values = Field(description="ids, or network ranges in CIDR notation")


class Condition(Contract):
    """What holds for one entity."""

    entity: FieldName = Field(description="field that names the entity, such as customer_id or device_id")
    id: Value = Field(description="its value, as it stands in events")
    effect: ConditionEffect = Field(description="action for the entity's payments")
    up_to: Money | None = Field(None, description="with allow: only amounts up to this, base currency")

    @model_validator(mode="after")
    def _with_ceiling(self) -> Self:
        if (self.effect == "allow") != (self.up_to is not None):
            raise ValueError("a condition that allows needs up_to, and only such a one has it")
        return self


class PolicyLevers(Contract):
    """What stands in for the bundle's policy; what is absent stays the bundle's."""

    flag_from: Probability | None = Field(None, description="nothing below this score is flagged by the policy")
    review_capacity: Annotated[float, Field(gt=0.0)] | None = Field(None, description="reviews on an average day")
    costs: dict[Text, Money] | None = Field(None, description="inputs of the decision, by their names in policy.json")
    explore_share: Probability | None = Field(None, description="share of allowed payments that are sent to review")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("needs one of flag_from, review_capacity, costs, explore_share")
        return self


class Control(Contract):
    """One version of a control."""

    schema_version: SchemaVersion = Field(SCHEMA_VERSION, description="version of this contract")
    control_id: ControlId = Field(description="the control; also the record's key")
    version: Annotated[int, Field(ge=1, le=2**31)] = Field(description="1, then the present version + 1")
    kind: ControlKind = Field(description="what it is; the same in every version")
    status: Status = Field(description="whether it acts (live), is only counted (shadow), or neither")
    author: Text = Field(description="who wrote this content")
    approver: Text | None = Field(None, description="who approved this content; another person than the author")
    reason: Said = Field(description="why, for people")
    written_at: Time = Field(description="when, by the writer's clock")
    valid_from: Time | None = Field(None, description="event time from which on it acts; absent: from ever")
    valid_until: Time | None = Field(None, description="event time from which on it does not; absent: for ever")
    share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        1.0, description="share of customers that a rule acts on, the same ones every time"
    )
    rule: Rule | None = Field(None, description="the content of a rule")
    list_entry: ListEntry | None = Field(None, description="the content of a list_entry")
    condition: Condition | None = Field(None, description="the content of a condition")
    policy: PolicyLevers | None = Field(None, description="the content of a policy")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        bodies = [name for name in ("rule", "list_entry", "condition", "policy") if getattr(self, name) is not None]
        if bodies != [self.kind]:
            raise ValueError(f"a {self.kind} needs the body {self.kind} and no other")
        if self.share != 1 and self.kind != "rule":
            raise ValueError("share is for rules only")
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("valid_from must be before valid_until")
        return self

    @property
    def body(self) -> Rule | ListEntry | Condition | PolicyLevers:
        """The content, whatever the kind."""
        body: Rule | ListEntry | Condition | PolicyLevers = getattr(self, self.kind)
        return body

    @property
    def name(self) -> str:
        """`id@version`, as decisions and alerts name it."""
        return f"{self.control_id}@{self.version}"

    def encode(self) -> bytes:
        """As a record's value."""
        return self.model_dump_json(exclude_none=True).encode()
