"""What a payment without a decision in time is answered: declared by the shop's operator, by amount."""

from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BeforeValidator, InstanceOf
from pydantic_settings import NoDecode

from fraud.contracts.inbound import Action

_ACTIONS = ("allow", "challenge", "review", "block")


@dataclass(frozen=True, slots=True)
class Fallback:
    """Actions by amount.

    Attributes:
        steps: action and the largest amount that it holds for, base currency units, ascending.
        rest: the action beyond.
    """

    steps: tuple[tuple[Action, float], ...]
    rest: Action

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `action:amount,…,action`.

        Raises:
            ValueError: one line that says what is wrong.
        """
        *steps, rest = [part.strip() for part in text.split(",")]
        pairs = [step.partition(":")[::2] for step in steps]
        for action in (*(action for action, _ in pairs), rest):
            if action not in _ACTIONS:
                raise ValueError(
                    f"{action!r} is no action: write {', '.join(_ACTIONS)}, the last one without an amount"
                )
        try:
            amounts = [float(amount) for _, amount in pairs]
        except ValueError:
            raise ValueError("each action but the last needs an amount: allow:50,challenge:500,review") from None
        if sorted(set(amounts)) != amounts or any(not 0 <= amount < float("inf") for amount in amounts):
            raise ValueError("the amounts must ascend")
        return cls(tuple((action, amount) for (action, _), amount in zip(pairs, amounts, strict=True)), rest)  # type: ignore[arg-type, misc] # checked above

    def action(self, amount: float) -> Action:
        """The action for an amount in base currency units."""
        return next((action for action, most in self.steps if amount <= most), self.rest)

    def __str__(self) -> str:
        return ",".join([*(f"{action}:{most:g}" for action, most in self.steps), self.rest])


def _read(value: Any) -> Any:  # noqa: ANN401 - whatever a setting was given as
    return Fallback.parse(value) if isinstance(value, str) else value


FallbackRule: TypeAlias = Annotated[InstanceOf[Fallback], NoDecode, BeforeValidator(_read)]
"""A setting that holds one."""
