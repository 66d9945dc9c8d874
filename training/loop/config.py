"""What decides in the loop, as one frozen value."""

from dataclasses import dataclass, field
from datetime import timedelta
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


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """Numbers of the loop; meanings and defaults are those of `training.settings.Settings`, durations in µs."""

    base: int | None = _default("base")
    interval: int = _us(_default("interval"))
    new_frauds: int = _default("new_frauds")
    cooldown: int = _us(_default("cooldown"))
    drift_psi: float = _default("drift_psi")
    drift_auc: float = _default("drift_auc")
    window: int = _us(_default("window"))
    max_events: int = _default("max_events")
    retention: int = _us(_default("retention"))
    maturity_days: float | None = _default("maturity")
    folds: int = _default("folds")
    min_frauds: int = _default("min_frauds")
    strategy: str = _default("strategy")
    teachers: int | None = _default("teachers")
    alert_share: float | None = _default("alert_share")
    promotion: str = _default("promotion")
    unsure: str = _default("unsure")
    probation: int = _us(_default("probation"))
    watch: int = _us(_default("watch"))
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
            interval=_us(s.loop_interval),
            new_frauds=s.loop_new_frauds,
            cooldown=_us(s.loop_cooldown),
            drift_psi=s.loop_drift_psi,
            drift_auc=s.loop_drift_auc,
            window=_us(s.loop_window),
            max_events=s.loop_max_events,
            retention=_us(s.loop_retention),
            maturity_days=None if s.loop_maturity is None else s.loop_maturity / timedelta(days=1),
            folds=s.loop_folds,
            min_frauds=s.loop_min_frauds,
            strategy=s.loop_strategy,
            teachers=s.loop_teachers,
            alert_share=s.loop_alert_share,
            promotion=s.loop_promotion,
            unsure=s.loop_unsure,
            probation=_us(s.loop_probation),
            watch=_us(s.loop_watch),
            keep_versions=s.loop_keep_versions,
            seed=s.loop_seed,
            bundle_key=revealed(s.bundle_key),
            gate=GateConfig(margin=s.loop_margin, demand=s.loop_demand),
        )

    @property
    def budget(self) -> float:
        """Share of payments that may raise an alert; one in a hundred where the shop does not say."""
        return self.alert_share or DEFAULT_BUDGET
