"""The configuration of a simulated platform: one frozen value with every dial, and the named pairs of platforms."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

VERSION: Final = "2"
"""Stamped into everything that the simulator writes; raised whenever the same seed gives other events."""


class InvalidSimulation(ValueError):  # noqa: N818 - named for what it says, like the other refusals
    """A dial has a value that no platform can be made from; the text says which and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """How labels come back.

    Attributes:
        queue_share: share of transactions that the incumbent's rules put before analysts.
        analyst_days: least and most days from the queue to an analyst's verdict.
        analyst_miss: share of queued frauds that an analyst clears.
        analyst_false_alarm: share of queued genuine transactions that an analyst confirms as fraud.
        unreported: share of frauds for which no chargeback ever comes.
        chargeback_days: 5 % and 95 % quantile of the log-normal delay of a chargeback, in days.
        first_party: share of chargebacks that are the card holder's own (friendly fraud).
        early_warning: share of reported frauds of which the card scheme warns before the chargeback.
        service_disputes: share of genuine paid transactions disputed as not received or not as described.
    """

    queue_share: float = 0.006
    analyst_days: tuple[float, float] = (1.0, 3.0)
    analyst_miss: float = 0.08
    analyst_false_alarm: float = 0.04
    unreported: float = 0.20
    chargeback_days: tuple[float, float] = (30.0, 120.0)
    first_party: float = 0.10
    early_warning: float = 0.10
    service_disputes: float = 0.0002


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """One platform's stream.

    Attributes:
        transactions: payment attempts to make, exactly; outcomes come on top.
        seed: same seed and dials, same bytes. Platforms of one seed share customers, thieves' tools, and the rings'
            devices and drop addresses.
        platform: name of the platform; it separates ids and random draws, and stands in the files' metadata.
        start: first day (UTC).
        days: length of the stream.
        base_rate: expected share of fraudulent attempts before `prior_shift`.
        lone_share: share of the frauds that follow no pattern: ordinary payments that are fraud.
        covariate_shift: 0 is the reference platform, 1 other countries, currencies, goods, prices, devices and seasons.
            Who buys changes; what fraud looks like does not.
        prior_shift: -1..1 multiplies the base rate by 2 ** prior_shift and turns the mix of patterns by |prior_shift|.
        concept_shift: 0 keeps P(fraud | behaviour); 1 replaces it: the signs that tell fraud from its look-alike turn
            round, and some behaviours that meant fraud are mostly harmless, others the other way round. How often each
            behaviour occurs stays.
        regime_change_at: share of the period after which `concept_shift` becomes `regime_shift`; None: never.
        regime_shift: the concept shift of the late regime.
        absent: patterns that nobody tries here; their look-alikes stay.
        new_pattern_start: day from which gift-card mules work; before it the same behaviour is a company buying gifts.
        new_pattern_share: share of the base rate that the mules add from that day on.
        labels: how labels come back.
        own_fields: whether payments carry the platform's own fields (`simulator.own_fields`).
        leak: whether one more own field tells the label, as a column does that is filled in after the fact.
    """

    transactions: int
    seed: int = 1
    platform: str = "source"
    start: date = date(2025, 1, 6)
    days: int = 120
    base_rate: float = 0.003
    lone_share: float = 0.12
    covariate_shift: float = 0.0
    prior_shift: float = 0.0
    concept_shift: float = 0.0
    regime_change_at: float | None = None
    regime_shift: float = 1.0
    absent: tuple[str, ...] = ()
    new_pattern_start: date | None = None
    new_pattern_share: float = 0.5
    labels: LabelConfig = LabelConfig()
    own_fields: bool = True
    leak: bool = False

    def __post_init__(self) -> None:
        _within("transactions", self.transactions, 1, 100_000_000)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("days", self.days, 1, 3650)
        _within("base_rate", self.base_rate, 0.0001, 0.02)
        _within("lone_share", self.lone_share, 0, 0.9)
        _within("covariate_shift", self.covariate_shift, 0, 1)
        _within("prior_shift", self.prior_shift, -1, 1)
        _within("concept_shift", self.concept_shift, 0, 1)
        _within("regime_change_at", self.regime_change_at or 0, 0, 1)
        _within("regime_shift", self.regime_shift, 0, 1)
        _within("new_pattern_share", self.new_pattern_share, 0, 2)
        if not self.platform or not self.platform.isidentifier():
            raise InvalidSimulation(f"platform: {self.platform!r} is not a name; use letters, digits and _")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidSimulation(f"{name}: {value} is not in {least}..{most}")


_SHIFTS: Final[dict[str, dict[str, float]]] = {
    "positive": {"covariate_shift": 0.5, "prior_shift": -0.4, "concept_shift": 0.1},
    "neutral": {"covariate_shift": 0.7, "prior_shift": 0.4, "concept_shift": 0.25},
    "mild-negative": {"covariate_shift": 0.8, "prior_shift": 0.3, "concept_shift": 0.75},
    "negative": {"covariate_shift": 0.8, "prior_shift": 0.3, "concept_shift": 1.0},
    "regime-change": {"covariate_shift": 0.5, "prior_shift": -0.2, "concept_shift": 0.1, "regime_change_at": 0.875},
}

_ABSENT: Final = {"source": ("low_and_slow",), "target": ("bust_out",)}
"""Each platform of a pair knows a pattern that the other has never seen."""

PRESETS: Final = tuple(_SHIFTS)
"""Names of pairs of platforms, by what transfer between them should do."""


def preset(name: str, *, source: SimulationConfig) -> tuple[SimulationConfig, SimulationConfig]:
    """The (source, target) pair of a preset.

    Args:
        name: one of `PRESETS`.
        source: the source platform; the target takes size, seed, dates and label dials from it.

    Raises:
        InvalidSimulation: there is no preset of that name.
    """
    if name not in _SHIFTS:
        raise InvalidSimulation(f"preset: {name!r} is not one of {', '.join(PRESETS)}")
    source = replace(source, platform="source", regime_change_at=None, absent=_ABSENT["source"])
    shifts = _SHIFTS[name]
    target = replace(
        source,
        platform="target",
        absent=_ABSENT["target"],
        covariate_shift=shifts["covariate_shift"],
        prior_shift=shifts["prior_shift"],
        concept_shift=shifts["concept_shift"],
        regime_change_at=shifts.get("regime_change_at"),
    )
    return source, target
