"""Outcomes of attempts: the issuer's answer at once, refunds and voids later, all in one log with the attempts."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fraud.units import DAY_US, HOUR_US
from simulator.draws import Bools, Int64s, choose, generator
from simulator.people.attempts import Attempts

ATTEMPT: Final = 0
AUTHORISED: Final = 1
DECLINED: Final = 2
VOIDED: Final = 3
REFUNDED: Final = 4
KINDS: Final = ("", "authorised", "declined", "voided", "refunded")

DECLINES: Final = ("soft", "insufficient", "hard", "fraud")
AVS: Final = ("match", "partial", "mismatch", "unavailable")
CVV: Final = ("match", "mismatch", "not_given")
THREE_DS: Final = ("frictionless", "challenged", "none", "failed")
LIABILITY: Final = ("merchant", "issuer")

VOIDS: Final = 0.006


@dataclass(frozen=True, slots=True)
class Log:
    """The stream of n events in log order.

    Attributes:
        of: index of the attempt that an event is, or is about; [n].
        kind: index into `KINDS`; 0 is the attempt itself; [n].
        time: event time in µs; [n].
        decline, avs, cvv, three_ds, liability: indices into the tables above, -1 where there is none; [n].
    """

    of: Int64s
    kind: Int64s
    time: Int64s
    decline: Int64s
    avs: Int64s
    cvv: Int64s
    three_ds: Int64s
    liability: Int64s

    def __len__(self) -> int:
        return len(self.of)


def log_of(attempts: Attempts, *, seed: int, platform: str, end: int) -> Log:
    """Merges attempts and their outcomes by time; outcomes after `end` are cut off.

    Nothing here depends on whether an attempt is fraud, except through `declined`, which the true probability counts.
    """
    rng = generator(seed, platform, "outcomes")
    n = len(attempts)
    answered = attempts.time + rng.integers(300_000, 2_500_000, n)
    paid = (attempts.declined == 0) & (attempts.amount > 0)
    voided = paid & (rng.random(n) < VOIDS)
    refunded = paid & attempts.refunded & ~voided
    void_at = answered + (rng.exponential(1.5, n) * HOUR_US).astype(np.int64)
    refund_at = answered + (rng.gamma(3, 3, n) * DAY_US).astype(np.int64) + DAY_US
    rows = np.arange(n)
    of = np.concatenate([rows, rows, rows[voided], rows[refunded]])
    answer = np.where(attempts.declined == 0, AUTHORISED, DECLINED)
    kind = np.concatenate(
        [np.full(n, ATTEMPT), answer, np.full(int(voided.sum()), VOIDED), np.full(int(refunded.sum()), REFUNDED)]
    )
    time = np.concatenate([attempts.time, answered, void_at[voided], refund_at[refunded]])
    checks = {name: column[of] for name, column in _checks(attempts, rng).items()}
    order = np.lexsort((of, kind, time))
    order = order[time[order] < end + HOUR_US]
    of, kind, time = of[order], kind[order], time[order]
    answers = (kind == AUTHORISED) | (kind == DECLINED)
    return Log(of, kind, time, **{name: np.where(answers, column[order], -1) for name, column in checks.items()})


def _checks(attempts: Attempts, rng: np.random.Generator) -> dict[str, Int64s]:
    """The issuer's checks per attempt; wrong ones stand behind hard declines."""
    n = len(attempts)
    hard: Bools = attempts.declined == 2
    recurring = attempts.by_merchant
    variant = (rng.random(n) < 0.4).astype(np.int64)
    three_ds = np.where(hard & (rng.random(n) < 0.2), 3, choose(rng, (0.40, 0.08, 0.52), n))
    three_ds = np.where(recurring | (attempts.amount == 0), 2, three_ds)
    wrong_code = hard & (rng.random(n) < 0.3)
    return {
        "decline": np.where(attempts.declined == 0, -1, (attempts.declined - 1) * 2 + variant),
        "avs": np.where(hard & (rng.random(n) < 0.25), 2, choose(rng, (0.86, 0.08, 0.03, 0.03), n)),
        "cvv": np.where(recurring, 2, np.where(wrong_code, 1, 0)),
        "three_ds": three_ds,
        "liability": np.where(attempts.declined > 0, -1, (three_ds < 2).astype(np.int64)),
    }
