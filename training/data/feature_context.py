"""The feature context: all that must be equal in training and serving for equal features."""

from dataclasses import dataclass, field

from fraud.features.catalogue import FeatureSpec, history_config, spec_of
from fraud.features.encoder import features_fingerprint
from fraud.features.platform import STANDARD, Platform
from fraud.history.history import HistoryConfig
from fraud.money import Rates
from fraud.privacy.card_numbers import Token


@dataclass(frozen=True, slots=True)
class FeatureContext:
    """What must be equal in training and serving for equal features.

    Attributes:
        platform: the declaration that all of it follows from.
        rates: into its base currency; None: the built-in ones.
        token: replaces card numbers outside the id fields, as the service's own does; None leaves them.
        spec: the features.
        config: the history's configuration.
    """

    platform: Platform = STANDARD
    rates: Rates | None = None
    token: Token | None = None
    spec: FeatureSpec = field(init=False)
    config: HistoryConfig = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", spec_of(self.platform))
        object.__setattr__(self, "config", history_config(self.platform))

    @property
    def money(self) -> Rates:
        """The rates, or the built-in ones."""
        return self.rates or Rates.default(self.platform.base_currency)

    def facts(self) -> dict[str, object]:
        """What names it, for a cache."""
        money = self.money
        return {
            "features": features_fingerprint(self.spec, self.config),
            "partitions": self.platform.partitions,
            "stage": self.platform.stage,
            "base": money.base,
            "rates": [money.since.tolist(), sorted(money.codes), money.table.tobytes().hex()],
        }
