"""Every setting of the service. How they are read, and from where: `runtime.settings`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fraud.contracts.fields import PERSONAL
from runtime.kafka.settings import TopicName
from runtime.platform_file import PlatformSettings
from runtime.settings import PREFIX, Duration, Secret

OTHERS: Final = (f"{PREFIX}loop_", f"{PREFIX}gateway_")
"""Variables with these prefixes belong to the training loop and the gateway, whose environment may be the same."""


def _personal(names: str) -> str:
    for name in names.split(","):
        if name not in PERSONAL:
            raise ValueError(f"{name!r} is no id of a payment; choose among {', '.join(PERSONAL)}")
    return names


class Settings(PlatformSettings):
    """The service's settings; each field's description is its line in docs/reference/settings.md."""

    transactions_topic: TopicName = Field("payments.transactions.v1", description="input: transactions and outcomes")
    alerts_topic: TopicName = Field("fraud.alerts.v1", description="output: flagged transactions")
    decisions_topic: TopicName = Field("fraud.decisions.v1", description="output: one decision per transaction")
    dlq_topic: TopicName = Field("payments.transactions.v1.dlq", description="output: what could not be scored")
    labels_topic: TopicName = Field("fraud.labels.v1", description="labels; the service creates it and reads none")
    models_topic: TopicName = Field("fraud.models.v1", description="promotions and rollbacks; created, not read")
    disputes_topic: TopicName = Field(
        "fraud.disputes.v1", description="dispute notices that give no label; created, not read"
    )
    controls_topic: TopicName = Field(
        "fraud.controls.v1", description="rules, lists, conditions and levers; read whole"
    )
    replication: int = Field(1, ge=1, le=16, description="copies that `topics` asks for; 3 in production")
    retention_days: int = Field(45, ge=1, description="how long the input is kept; at least the history's horizon")
    dlq_retention_days: int = Field(90, ge=1, description="how long dead letters are kept")

    group_id: TopicName = Field("fraudstream", description="consumer group; its committed offsets are the progress")
    instance_id: TopicName = Field(
        "fraudstream-0", description="this process, unique in the group and kept over restarts"
    )
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once", description="exactly_once needs readers with isolation.level=read_committed"
    )
    decisions: Literal["all", "off"] = Field("all", description="whether every decision is published")
    batch_records: int = Field(2000, ge=1, le=100_000, description="most records scored and committed together")
    transaction_timeout: Duration = Field(
        timedelta(seconds=15), description="after which the broker gives up an open transaction, in seconds"
    )
    session_timeout: Duration = Field(
        timedelta(seconds=10), description="silence after which the group takes this instance for dead, in seconds"
    )
    max_poll_interval: Duration = Field(
        timedelta(seconds=300), description="longest a batch may take before the group moves on, in seconds"
    )
    shutdown: Duration = Field(
        timedelta(seconds=20), description="time to finish the batch in hand after SIGTERM, in seconds"
    )
    deadletter_cap: bool = Field(
        True, description="stop (exit 3) when more than half of the last 10,000 records are dead letters"
    )

    set_aside: bool = Field(
        False, description="make a record that the program fails on a dead letter, instead of stopping at it (exit 1)"
    )

    models_dir: Path = Field(Path("models"), description="model directory: numbered versions and serving.json")
    models_poll: Duration = Field(timedelta(seconds=1), description="how often serving.json is looked at, in seconds")
    bundle_key: Secret | None = Field(
        None,
        description="key that models must be signed under, at least 16 characters; or its file by _FILE",
    )
    snapshots_dir: Path = Field(Path("snapshots"), description="where histories are kept, shared by all instances")
    snapshot_interval: Duration = Field(timedelta(seconds=300), description="time between snapshots, in seconds")
    dedupe_records: int = Field(
        1 << 22,
        ge=1 << 10,
        lt=1 << 31,
        description="payments and orders remembered a partition, to know repeats: two for each payment of 24 h",
    )
    max_ahead: Duration = Field(
        timedelta(hours=1), description="how far an event may lie ahead of its Kafka timestamp, in seconds or ISO 8601"
    )

    secret: Secret | None = Field(
        None,
        description="key of every HMAC (pseudonyms, card tokens, exploration), at least 16 characters; or its file by "
        "_FILE",
    )
    pseudonyms: bool = Field(False, description="whether alerts carry pseudonyms instead of ids")
    explore_share: float = Field(0.0, ge=0.0, le=0.05, description="share of would-be blocks let through to learn")
    explore_budget: float = Field(0.0, ge=0.0, description="most money let through that way a day, in base currency")

    confirmed_fields: Annotated[str, AfterValidator(_personal)] = Field(
        "device_id,card_fingerprint,card_id,email_hash,shipping_address_hash",
        description="of a confirmed fraud: what `controls follow-labels` puts into the list `confirmed`, by commas",
    )
    confirmed_days: int = Field(30, ge=1, description="for how many days after the label they stand there")

    http_host: str = Field("127.0.0.1", description="address that /metrics, /healthz and /readyz listen on")
    http_port: int = Field(8080, ge=0, le=65535, description="their port; 0 takes a free one and logs it")
    liveness: Duration = Field(
        timedelta(seconds=60), description="time without a turn of the loop that fails /healthz, in seconds"
    )

    @classmethod
    def claims(cls, variable: str) -> bool:
        """See `ProgramSettings`."""
        return not variable.startswith(OTHERS)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.secret is None and (self.pseudonyms or self.explore_share):
            raise ValueError("pseudonyms and explore_share need secret")
        outputs = (self.alerts_topic, self.decisions_topic, self.dlq_topic)
        topics = (self.transactions_topic, self.controls_topic, *outputs)
        if len(set(topics)) < len(topics):
            raise ValueError(
                "two topics have the same name: input, controls, alerts, decisions and dead letters must differ"
            )
        return self


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises:
        Misconfigured: one line that names every wrong variable.
    """
    return Settings.load()
