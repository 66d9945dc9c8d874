"""The fraud patterns, each with the good behaviour that looks like it.

A pattern and its look-alike are one behaviour under two hypotheses: they share all machinery (people, devices, shops,
pauses) and differ only in the probabilities written here, so that P(fraud | behaviour) is known exactly.
"""

from dataclasses import dataclass, field, replace
from math import exp, log
from typing import Final, Literal

Who = Literal["customer", "newcomer", "newcomers"]
"""Whose identity pays: a known customer's, one newcomer's for the episode, or another newcomer's at each attempt."""

Trait = Literal[
    "new device", "one device", "few devices", "few addresses", "one merchant", "small merchant", "new address",
    "drop address", "ring", "card each", "one bin", "known cards", "reacts", "verification",
    "digital", "resalable", "gift cards",
]  # fmt: skip

Odds = tuple[float, float]
"""A probability or a mean, for the look-alike and for the fraud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One behaviour and its two readings.

    Attributes:
        name: of the fraud.
        twin: of the look-alike.
        share: of the platform's fraudulent attempts.
        prior: P(fraud) of an episode of this behaviour.
        other_prior: the same where the concept is wholly another.
        length: mean attempts of an episode; geometric above `least`, cut at `most`.
        least, most: bounds of the length.
        pause_s: median seconds between attempts.
        visible_from: the attempt at which history shows the behaviour beyond doubt; 0 = never, single facts pool.
        who: see `Who`.
        traits: what the episode shares between its attempts.
        declines: probability that an attempt is declined.
        foreign, high, night: probability of an ip from another country, of high prices, of the small hours.
    """

    name: str
    twin: str
    share: float
    prior: float
    other_prior: float
    length: Odds
    least: int = 1
    most: int = 60
    pause_s: float
    visible_from: int
    who: Who
    traits: frozenset[Trait] = field(default_factory=frozenset)
    declines: Odds
    foreign: Odds
    high: Odds
    night: Odds = (0.05, 0.05)

    def shifted(self, concept: float) -> "Pattern":
        """The pattern under another concept: 0 as it is, 1 with every sign turned round."""

        def turned(odds: Odds) -> Odds:
            good, bad = odds
            return (good + concept * (bad - good), bad + concept * (good - bad))

        logit = (1 - concept) * _logit(self.prior) + concept * _logit(self.other_prior)
        return replace(
            self,
            prior=1 / (1 + exp(-logit)),
            length=turned(self.length),
            declines=turned(self.declines),
            foreign=turned(self.foreign),
            high=turned(self.high),
            night=turned(self.night),
        )


def _logit(p: float) -> float:
    return log(p / (1 - p))


PATTERNS: Final = (
    Pattern(
        name="card_testing", twin="card_trouble", share=0.13, prior=0.21, other_prior=0.06,
        length=(4, 8), least=2, most=25, pause_s=40, visible_from=3, who="newcomer",
        traits=frozenset({"new device", "one device", "card each", "verification", "one merchant", "digital"}),
        declines=(0.48, 0.68), foreign=(0.12, 0.30), high=(0.05, 0.05), night=(0.05, 0.14),
    ),
    Pattern(
        name="bin_attack", twin="benefit_cards", share=0.09, prior=0.19, other_prior=0.65,
        length=(10, 14), least=4, most=30, pause_s=25, visible_from=5, who="newcomers",
        traits=frozenset({"one bin", "few devices", "one merchant", "small merchant", "verification"}),
        declines=(0.44, 0.64), foreign=(0.10, 0.31), high=(0.05, 0.05), night=(0.05, 0.16),
    ),
    Pattern(
        name="account_takeover", twin="traveller_with_new_phone", share=0.16, prior=0.2, other_prior=0.12,
        length=(1.5, 2.2), most=8, pause_s=3000, visible_from=2, who="customer",
        traits=frozenset({"new device", "new address", "resalable"}),
        declines=(0.12, 0.31), foreign=(0.40, 0.70), high=(0.25, 0.66), night=(0.05, 0.17),
    ),
    Pattern(
        name="stolen_card_spree", twin="holiday_spree", share=0.14, prior=0.2, other_prior=0.06,
        length=(2.8, 4.5), least=2, most=20, pause_s=500, visible_from=2, who="newcomer",
        traits=frozenset({"new device", "reacts", "resalable"}),
        declines=(0.18, 0.39), foreign=(0.15, 0.39), high=(0.28, 0.63), night=(0.05, 0.16),
    ),
    Pattern(
        name="compromised_merchant", twin="family_card", share=0.09, prior=0.2, other_prior=0.6,
        length=(8, 12), least=4, most=30, pause_s=30_000, visible_from=0, who="newcomers",
        traits=frozenset({"known cards"}),
        declines=(0.10, 0.31), foreign=(0.09, 0.36), high=(0.16, 0.57), night=(0.05, 0.14),
    ),
    Pattern(
        name="colluding_merchant", twin="shop_opening", share=0.06, prior=0.2, other_prior=0.7,
        length=(11, 14), least=6, most=30, pause_s=1200, visible_from=5, who="newcomers",
        traits=frozenset({"one merchant", "small merchant", "few devices"}),
        declines=(0.09, 0.20), foreign=(0.11, 0.35), high=(0.25, 0.64), night=(0.05, 0.14),
    ),
    Pattern(
        name="reshipping_ring", twin="shared_flat", share=0.09, prior=0.21, other_prior=0.1,
        length=(6.5, 9.5), least=3, most=25, pause_s=40_000, visible_from=3, who="newcomers",
        traits=frozenset({"ring", "few devices", "drop address", "resalable"}),
        declines=(0.09, 0.20), foreign=(0.12, 0.33), high=(0.24, 0.61),
    ),
    Pattern(
        name="bust_out", twin="home_mover", share=0.05, prior=0.18, other_prior=0.6,
        length=(3, 5), least=2, most=12, pause_s=14_000, visible_from=3, who="customer",
        traits=frozenset({"resalable"}),
        declines=(0.08, 0.34), foreign=(0.03, 0.12), high=(0.39, 0.93),
    ),
    Pattern(
        name="low_and_slow", twin="household_tablet", share=0.06, prior=0.11, other_prior=0.5,
        length=(4, 7), least=2, most=20, pause_s=250_000, visible_from=3, who="newcomers",
        traits=frozenset({"one device"}),
        declines=(0.06, 0.10), foreign=(0.04, 0.15), high=(0.08, 0.10),
    ),
    Pattern(
        name="single_stolen_card", twin="first_order", share=0.13, prior=0.14, other_prior=0.3,
        length=(1, 1), most=1, pause_s=60, visible_from=0, who="newcomer",
        traits=frozenset({"resalable"}),
        declines=(0.09, 0.27), foreign=(0.07, 0.38), high=(0.11, 0.53),
    ),
)  # fmt: skip
"""Shares add up to 1. Friendly fraud is not among them: the card's owner did buy (see `FRIENDLY_SHARE`)."""

MULES: Final = Pattern(
    name="gift_card_mule", twin="company_gifts", share=1.0, prior=0.88, other_prior=0.88,
    length=(3.5, 5), least=2, most=12, pause_s=900, visible_from=2, who="customer",
    traits=frozenset({"gift cards", "digital"}),
    declines=(0.05, 0.05), foreign=(0.04, 0.04), high=(0.10, 0.10),
)  # fmt: skip
"""The new pattern: taken-over or rented old accounts buy gift cards from their usual device. Before its start the same
behaviour is always a company buying presents, so no label of the past can teach it."""

COMPANY_GIFTS_SHARE: Final = 0.0004
"""Share of all attempts that are companies buying gift cards, before and after the mules come."""

FRIENDLY_SHARE: Final = 0.0004
"""Share of all attempts that the card's owner later denies."""

LONE: Final = "lone_fraud"
"""An ordinary payment that is fraud; see `lone`."""

ALL_PATTERNS: Final = (*PATTERNS, MULES)
"""`kind` k of an attempt is `ALL_PATTERNS[k - 1]`."""

FRIENDLY: Final = "friendly_fraud"
GENUINE: Final = "ordinary"
