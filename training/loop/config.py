"""What decides in the loop, as one frozen value."""

from dataclasses import dataclass, field
from typing import Final

from training.data.risk_plan import RiskPlan
from training.gate.label_sanity import LabelBands
from training.gate.paired_scores import DEFAULT_BUDGET
from training.gate.rule import GateConfig
from training.settings import Settings

HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """Numbers of the loop; the meanings are those of `training.settings.Settings`, hours turned into µs."""

    base: int | None = None
    interval: int = 24 * HOUR_US
    new_frauds: int = 30
    cooldown: int = 6 * HOUR_US
    drift_psi: float = 0.25
    drift_auc: float = 0.8
    window: int = 365 * 24 * HOUR_US
    max_events: int = 1_000_000
    retention: int = 400 * 24 * HOUR_US
    maturity_days: float | None = None
    holdout_share: float = 0.25
    min_frauds: int = 20
    strategy: str = "joint_distilled"
    teachers: int | None = None
    alert_share: float | None = None
    promotion: str = "direct"
    unsure: str = "keep"
    probation: int = 72 * HOUR_US
    watch: int = 72 * HOUR_US
    keep_versions: int = 5
    seed: int = 1
    bundle_key: str | None = field(default=None, repr=False)
    baselines: bool = True
    gate: GateConfig = field(default_factory=GateConfig)
    bands: LabelBands = field(default_factory=LabelBands)
    risk: RiskPlan = field(default_factory=RiskPlan)

    @classmethod
    def of(cls, settings: Settings) -> "LoopConfig":
        """The loop's share of the settings."""
        s = settings
        return cls(
            base=s.loop_base,
            interval=int(s.loop_interval_hours * HOUR_US),
            new_frauds=s.loop_new_frauds,
            cooldown=int(s.loop_cooldown_hours * HOUR_US),
            drift_psi=s.loop_drift_psi,
            drift_auc=s.loop_drift_auc,
            window=int(s.loop_window_days * 24 * HOUR_US),
            max_events=s.loop_max_events,
            retention=int(s.loop_retention_days * 24 * HOUR_US),
            maturity_days=s.loop_maturity_days,
            holdout_share=s.loop_holdout_share,
            min_frauds=s.loop_min_frauds,
            strategy=s.loop_strategy,
            teachers=s.loop_teachers,
            alert_share=s.loop_alert_share,
            promotion=s.loop_promotion,
            unsure=s.loop_unsure,
            probation=int(s.loop_probation_hours * HOUR_US),
            watch=int(s.loop_watch_hours * HOUR_US),
            keep_versions=s.loop_keep_versions,
            seed=s.loop_seed,
            bundle_key=None if s.bundle_key is None else s.bundle_key.get_secret_value(),
            gate=GateConfig(margin=s.loop_margin),
        )

    @property
    def budget(self) -> float:
        """Share of payments that may raise an alert; one in a hundred where the shop does not say."""
        return self.alert_share or DEFAULT_BUDGET

    @property
    def judging(self) -> GateConfig:
        """The gate's numbers; a shop with an alert budget wants frauds within it, and no better order beyond."""
        return self.gate if self.alert_share is None else self.gate.model_copy(update={"figure": "recall_at_budget"})
