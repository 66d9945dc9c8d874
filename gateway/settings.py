"""Every setting of the gateway. How they are read, and from where: `runtime.settings`."""

from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from gateway.checkout.fallback import Fallback, FallbackRule
from runtime.kafka.settings import TopicName
from runtime.platform_file import PlatformSettings
from runtime.settings import PREFIX, Duration

GATEWAY: Final = f"{PREFIX}gateway_"
"""Variables with this prefix belong to the gateway alone."""


class Settings(PlatformSettings):
    """The gateway's settings; each field's description is its line in docs/reference/settings.md."""

    transactions_topic: TopicName = Field("payments.transactions.v1", description="where payments and outcomes go")
    alerts_topic: TopicName = Field("fraud.alerts.v1", description="where the reasons of flagged payments come from")
    decisions_topic: TopicName = Field("fraud.decisions.v1", description="where decisions come from")
    dlq_topic: TopicName = Field(
        "payments.transactions.v1.dlq", description="where it is said what could not be scored"
    )
    labels_topic: TopicName = Field("fraud.labels.v1", description="where labels go")
    disputes_topic: TopicName = Field("fraud.disputes.v1", description="where dispute notices go that give no label")

    gateway_host: str = Field("127.0.0.1", description="address that the gateway listens on")
    gateway_port: int = Field(8090, ge=0, le=65535, description="its port; 0 takes a free one and logs it")
    gateway_tls_certfile: Path | None = Field(None, description="PEM file of the server's certificate; without it HTTP")
    gateway_tls_keyfile: Path | None = Field(None, description="PEM file of its key")
    gateway_tls_client_ca: Path | None = Field(
        None, description="PEM file of the authority that clients must show a certificate of, for mutual TLS"
    )
    gateway_keys_file: Path = Field(Path("gateway/keys.json"), description="API keys, hashed; see `gateway keys`")
    gateway_webhooks_file: Path | None = Field(
        None, description="secrets of dispute webhooks by processor and shop, JSON; without it there are none"
    )
    gateway_journal: Path = Field(Path("gateway/journal.db"), description="file of what was accepted; of one process")
    gateway_keep: Duration = Field(timedelta(seconds=86_400), description="how long an id is known again, in seconds")
    gateway_unsent: int = Field(
        100_000, ge=100, description="accepted and not decided, or not yet in Kafka, at most; then nothing is accepted"
    )

    gateway_deadline: Duration = Field(
        timedelta(seconds=0.25), description="within which a payment is answered, in seconds"
    )
    gateway_deadline_least: Duration = Field(
        timedelta(seconds=0.02), description="shortest that X-Deadline-Ms may ask for"
    )
    gateway_deadline_most: Duration = Field(timedelta(seconds=5), description="longest that X-Deadline-Ms may ask for")
    gateway_fallback: FallbackRule = Field(
        Fallback.parse("allow:50,challenge:500,review"),
        description="what is said without a decision: action:up to this amount in base currency, the last for the rest",
    )
    max_ahead: Duration = Field(
        timedelta(hours=1), description="how far an event may lie ahead of the clock; the service's own setting"
    )
    gateway_in_flight: int = Field(
        512,
        ge=4,
        description="payments at the scorer at once, at most; the bound moves below it with how long they take",
    )
    gateway_rate: float = Field(
        500.0, gt=0, description="requests a second for a key that names no rate of its own; twice that at once"
    )
    gateway_connections: int = Field(2_000, ge=1, description="open connections, at most; more are answered 503")
    gateway_read_timeout: Duration = Field(
        timedelta(seconds=5), description="for a request to arrive whole, in seconds"
    )
    gateway_shutdown: Duration = Field(timedelta(seconds=10), description="to finish answers after SIGTERM, in seconds")
    gateway_scorer_url: str | None = Field(
        None, description="the service's HTTP endpoint, which knows entities; without it they are not looked up"
    )
    http_host: str = Field("127.0.0.1", description="address that /metrics, /healthz and /readyz listen on")
    http_port: int = Field(8091, ge=0, le=65535, description="their port; 0 takes a free one and logs it")

    @classmethod
    def claims(cls, variable: str) -> bool:
        """See `ProgramSettings`."""
        return variable.startswith(GATEWAY)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.gateway_deadline_least <= self.gateway_deadline <= self.gateway_deadline_most:
            raise ValueError("gateway_deadline must lie between gateway_deadline_least and gateway_deadline_most")
        if (self.gateway_tls_certfile is None) != (self.gateway_tls_keyfile is None):
            raise ValueError("set gateway_tls_certfile and gateway_tls_keyfile, or neither")
        if self.gateway_tls_client_ca is not None and self.gateway_tls_certfile is None:
            raise ValueError("gateway_tls_client_ca needs gateway_tls_certfile")
        return self
