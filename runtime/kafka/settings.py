"""The settings of every program that talks to Kafka."""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from runtime.settings import Password, ProgramSettings


def _topic(name: str) -> str:
    if not name or len(name) > 249 or name in {".", ".."} or not all(c.isalnum() or c in "._-" for c in name):
        raise ValueError("must be letters, digits, '.', '_' and '-', at most 249 characters")
    return name


TopicName: TypeAlias = Annotated[str, AfterValidator(_topic)]
"""The name of a topic, or of a consumer group or an instance in one, which obey the same rule here."""


class BrokerSettings(ProgramSettings):
    """Addresses and credentials; each field's description is its line in docs/reference/settings.md."""

    kafka_bootstrap_servers: str = Field("localhost:9092", description="brokers to ask first, host:port, by commas")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the brokers"
    )
    kafka_ssl_cafile: Path | None = Field(None, description="PEM file of the authority that signed the brokers")
    kafka_ssl_certfile: Path | None = Field(None, description="PEM file of the client's certificate, for mutual TLS")
    kafka_ssl_keyfile: Path | None = Field(None, description="PEM file of the client's key")
    kafka_ssl_key_password: Password | None = Field(None, description="password of that key; or its file by _FILE")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how to prove who we are, with a SASL protocol"
    )
    kafka_sasl_username: str | None = Field(None, description="user name for SASL")
    kafka_sasl_password: Password | None = Field(None, description="password for SASL; or its file by _FILE")

    @model_validator(mode="after")
    def _with_credentials(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_sasl_mechanism and self.kafka_sasl_username and self.kafka_sasl_password
        ):
            raise ValueError("SASL needs kafka_sasl_mechanism, kafka_sasl_username and kafka_sasl_password")
        return self
