"""Every setting of the console. How they are read, and from where: `runtime.settings`.

What it shares with the other programs has their variables; its own begin with `FRAUD_CONSOLE_`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from runtime.kafka.settings import TopicName
from runtime.platform_file import PlatformSettings
from runtime.settings import PREFIX, Duration, Secret

CONSOLE: Final = f"{PREFIX}console_"
"""The console's own variables; others may be meant for programs that share its environment."""


class Settings(PlatformSettings):
    """The console's settings; each field's description is its line in docs/reference/settings.md."""

    transactions_topic: TopicName = Field(
        "payments.transactions.v1", description="payments and their outcomes, to show"
    )
    alerts_topic: TopicName = Field("fraud.alerts.v1", description="alerts: each opens a case")
    decisions_topic: TopicName = Field("fraud.decisions.v1", description="decisions: blind cases are drawn from them")
    labels_topic: TopicName = Field("fraud.labels.v1", description="where verdicts go as labels")
    cases_topic: TopicName = Field("fraud.cases.v1", description="what analysts do; the console creates it")
    controls_topic: TopicName = Field("fraud.controls.v1", description="rules, lists, conditions and levers")
    models_topic: TopicName = Field("fraud.models.v1", description="promotions and rollbacks, to show")
    replication: int = Field(1, ge=1, le=16, description="copies that `topics` asks for; 3 in production")

    secret: Secret | None = Field(
        None, description="the service's secret: card numbers and ids get the service's tokens; or its file by _FILE"
    )
    pseudonyms: bool = Field(False, description="whether alerts carry pseudonyms, as the service's setting says")

    console_data_dir: Path = Field(
        Path("console-data"), description="where the projection and the accounts are kept, of this process alone"
    )
    console_host: str = Field("127.0.0.1", description="address that the pages listen on")
    console_port: int = Field(8002, ge=0, le=65535, description="their port; 0 takes a free one and logs it")
    console_http_host: str = Field("127.0.0.1", description="address that /metrics, /healthz and /readyz listen on")
    console_http_port: int = Field(8003, ge=0, le=65535, description="their port; 0 takes a free one and logs it")
    console_https: bool = Field(
        False, description="whether browsers reach the pages by https: cookies then go no other way"
    )
    console_proxy_header: str = Field(
        "", description="header in which a trusted proxy names the user; empty: people log in here"
    )
    console_proxy_addresses: tuple[str, ...] = Field(
        (), description="addresses of that proxy, as JSON; the header counts from nowhere else"
    )
    console_claim: Duration = Field(timedelta(minutes=15), description="how long a claim holds, in seconds")
    console_sla: Duration = Field(timedelta(hours=4), description="age by which a case should be judged, in seconds")
    console_session: Duration = Field(
        timedelta(hours=12), description="how long a log-in lasts, in seconds; half an hour unused ends it as well"
    )
    console_blind_share: float = Field(
        0.001, ge=0.0, le=0.1, description="share of allowed payments that become blind cases; 0: none"
    )
    console_second_share: float = Field(
        0.02, ge=0.0, le=1.0, description="share of judged alerts that a second analyst judges as a blind case; 0: none"
    )
    console_review_minutes: float = Field(
        5.0, gt=0.0, description="minutes of an analyst for one case, as in the policy's costs"
    )
    console_keep: Duration = Field(
        timedelta(days=180),
        description="how long payments stay in the projection, and cases after the last act on them, in seconds",
    )
    console_backtest_records: int = Field(
        200_000, ge=1_000, description="records of payments that a backtest of a rule reads at most, the newest"
    )
    console_maturity: Duration = Field(
        timedelta(days=120), description="age at which silence counts as genuine for the loop, shown beside labels"
    )
    console_models_dir: Path | None = Field(
        None, description="model directory, for the page of models; rolled back from there if it can be written"
    )
    console_reports_dir: Path | None = Field(
        None, description="the training loop's `runs` folder, to show its runs and their reports"
    )

    @classmethod
    def claims(cls, variable: str) -> bool:
        """See `ProgramSettings`."""
        return variable.startswith(CONSOLE)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.pseudonyms and self.secret is None:
            raise ValueError("pseudonyms needs secret")
        if bool(self.console_proxy_header) != bool(self.console_proxy_addresses):
            raise ValueError("console_proxy_header and console_proxy_addresses go together")
        return self


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises:
        Misconfigured: one line that names every wrong variable.
    """
    return Settings.load()
