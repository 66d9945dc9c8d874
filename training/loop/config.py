"""What decides in the loop, as one frozen value."""

from dataclasses import dataclass, field
from typing import Any, Final

from runtime.settings import revealed
from training.data.risk_plan import RiskPlan
from training.gate.label_sanity import LabelBands
from training.gate.paired_scores import DEFAULT_BUDGET
from training.gate.rule import GateConfig
from training.settings import Settings

HOUR_US: Final = 3_600_000_000


def _default(name: str) -> Any:  # noqa: ANN401 - of whatever type the setting is
    return Settings.model_fields[f"loop_{name}"].default


def _hours(name: str) -> int:
    return int(_default(name) * HOUR_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """Numbers of the loop; meanings and defaults are those of `training.settings.Settings`, hours turned into µs."""

    base: int | None = _default("base")
    interval: int = _hours("interval_hours")
    new_frauds: int = _default("new_frauds")
    cooldown: int = _hours("cooldown_hours")
    drift_psi: float = _default("drift_psi")
    drift_auc: float = _default("drift_auc")
    window: int = 24 * _hours("window_days")
    max_events: int = _default("max_events")
    retention: int = 24 * _hours("retention_days")
    maturity_days: float | None = _default("maturity_days")
    holdout_share: float = _default("holdout_share")
    min_frauds: int = _default("min_frauds")
    strategy: str = _default("strategy")
    teachers: int | None = _default("teachers")
    alert_share: float | None = _default("alert_share")
    promotion: str = _default("promotion")
    unsure: str = _default("unsure")
    probation: int = _hours("probation_hours")
    watch: int = _hours("watch_hours")
    keep_versions: int = _default("keep_versions")
    seed: int = _default("seed")
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
            bundle_key=revealed(s.bundle_key),
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
