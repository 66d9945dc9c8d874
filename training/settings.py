"""Every setting of the training loop: read once from the environment, validated, frozen.

What the loop shares with the service has the service's variables (`FRAUD_KAFKA_…`, topics, `FRAUD_MODELS_DIR`); its own
begin with `FRAUD_LOOP_`.
How they are read, and from where: `runtime.settings`.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from runtime.kafka.settings import TopicName
from runtime.platform_file import PlatformSettings
from runtime.settings import PREFIX, Delay, Duration, Secret

LOOP: Final = f"{PREFIX}loop_"
"""The loop's own variables; others may be the service's, whose environment may be the same."""


_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

_FORMER: Final = {
    "loop_poll_seconds": ("loop_poll", timedelta(seconds=1)),
    "loop_interval_hours": ("loop_interval", _HOUR),
    "loop_cooldown_hours": ("loop_cooldown", _HOUR),
    "loop_window_days": ("loop_window", _DAY),
    "loop_retention_days": ("loop_retention", _DAY),
    "loop_maturity_days": ("loop_maturity", _DAY),
    "loop_probation_hours": ("loop_probation", _HOUR),
    "loop_watch_hours": ("loop_watch", _HOUR),
}
"""Names that the version before had, each with its unit."""


class Settings(PlatformSettings):
    """The loop's settings; each field's description is its line in docs/reference/settings.md."""

    transactions_topic: TopicName = Field("payments.transactions.v1", description="payments and their outcomes")
    decisions_topic: TopicName = Field("fraud.decisions.v1", description="what the service decided")
    labels_topic: TopicName = Field("fraud.labels.v1", description="labels as they arrive")
    models_topic: TopicName = Field("fraud.models.v1", description="where promotions and rollbacks are announced")

    models_dir: Path = Field(Path("models"), description="model directory")
    bundle_key: Secret | None = Field(
        None,
        description="key that signs models, the service's own, at least 16 characters; or its file by _FILE",
    )
    secret: Secret | None = Field(
        None, description="the service's secret: card numbers get the service's tokens; or its file by _FILE"
    )

    loop_data_dir: Path = Field(Path("data"), description="where ledger, run records and the loop's state are kept")
    loop_http_host: str = Field("127.0.0.1", description="address that /metrics, /healthz and /readyz listen on")
    loop_http_port: int = Field(8001, ge=0, le=65535, description="its port; 0 takes a free one and prints it")
    loop_poll: Duration = Field(timedelta(seconds=10), description="pause between two looks at the topics")
    loop_clock: Literal["wall", "stream"] = Field(
        "wall", description="what now is: the wall clock, or the newest payment's time (replays, tests)"
    )
    loop_base: int | None = Field(None, ge=1, description="version of the base to adapt; default: the newest")
    loop_interval: Duration = Field(timedelta(days=1), description="a run at least so often, when there are new labels")
    loop_new_frauds: int = Field(30, ge=1, description="a run as soon as so many new frauds are known")
    loop_cooldown: Delay = Field(timedelta(hours=6), description="least time between two runs")
    loop_drift_psi: float = Field(0.25, gt=0, description="a run when features or scores moved so far (PSI)")
    loop_drift_auc: float = Field(0.8, gt=0.5, le=1, description="or today is told from training so well (AUC)")
    loop_window: Duration = Field(timedelta(days=365), description="payments younger than this are learnt from")
    loop_max_events: int = Field(
        1_000_000, ge=1_000, description="payments and outcomes held in memory; beyond it the window is shorter"
    )
    loop_retention: Duration = Field(timedelta(days=400), description="ledger days older than this are removed")
    loop_maturity: Delay | None = Field(
        None, description="age at which silence counts as genuine; default: estimated, 120 until then"
    )
    loop_folds: int = Field(3, ge=2, le=10, description="models that judge a candidate, each on what it did not learn")
    loop_min_frauds: int = Field(3, ge=3, description="with fewer known frauds it stays at the cold start")
    loop_strategy: str = Field("joint_distilled", description="how to adapt; see docs/explanation/transfer.md")
    loop_teachers: int | None = Field(None, ge=1, description="nets to train; default: as many as the base has")
    loop_alert_share: float | None = Field(
        None, gt=0, lt=1, description="alert on at most this share; default: by cost"
    )
    loop_margin: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="how far a candidate may stand behind the best champion so far: ever, not per promotion",
    )
    loop_demand: Literal["better", "no_worse"] = Field(
        "better",
        description="what a candidate must be shown to be, against the champion; no_worse: by no more than the margin",
    )
    loop_promotion: Literal["direct", "shadow"] = Field(
        "direct", description="whether an accepted version first shadows"
    )
    loop_unsure: Literal["keep", "shadow"] = Field(
        "shadow",
        description="what becomes of a candidate that is not shown to be better but learnt from twice the frauds",
    )
    loop_probation: Delay = Field(timedelta(days=3), description="how long a shadow is watched before it takes over")
    loop_watch: Delay = Field(timedelta(days=3), description="how long a new champion may still be rolled back")
    loop_keep_versions: int = Field(5, ge=1, description="versions of each kind that are kept")
    loop_seed: int = Field(1, ge=0, description="of everything drawn")

    @property
    def ledger_dir(self) -> Path:
        """Where the ledger is kept."""
        return self.loop_data_dir / "ledger"

    @classmethod
    def renamed(cls) -> Mapping[str, tuple[str, timedelta]]:
        """See `ProgramSettings`."""
        return _FORMER

    @classmethod
    def claims(cls, variable: str) -> bool:
        """See `ProgramSettings`."""
        return variable.startswith(LOOP)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.loop_retention < self.loop_window:
            raise ValueError("loop_retention must reach at least as far back as loop_window")
        return self


def load_settings(**given: object) -> Settings:
    """The settings of this process's environment; arguments go before variables.

    Raises:
        Misconfigured: a variable is wrong, or a FRAUD_LOOP_ variable is unknown.
    """
    return Settings.load(**given)
