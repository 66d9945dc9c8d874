"""The feature context: all that must be equal in training and serving for equal features."""

from dataclasses import dataclass, field

from fraud.features.encoder import SPEC, FeatureSpec, features_fingerprint
from fraud.history.history import HistoryConfig
from fraud.money import Rates
from fraud.privacy.card_numbers import Token


@dataclass(frozen=True, slots=True)
class FeatureContext:
    """What must be equal in training and serving for equal features.

    Attributes:
        spec: the features.
        config: the history's configuration.
        rates: into the base currency.
        partitions: of the input topic.
        stage: when in a payment it is scored.
        token: replaces card numbers outside the id fields, as the service's own does; None leaves them.
    """

    spec: FeatureSpec = SPEC
    config: HistoryConfig = field(default_factory=HistoryConfig)
    rates: Rates | None = None
    partitions: int = 1
    stage: str = "pre_auth"
    token: Token | None = None

    @property
    def money(self) -> Rates:
        """The rates, or the built-in ones into euros."""
        return self.rates or Rates.default("EUR")

    def facts(self) -> dict[str, object]:
        """What names it, for a cache."""
        money = self.money
        return {
            "features": features_fingerprint(self.spec, self.config),
            "partitions": self.partitions,
            "stage": self.stage,
            "base": money.base,
            "rates": [money.since.tolist(), sorted(money.codes), money.table.tobytes().hex()],
        }
