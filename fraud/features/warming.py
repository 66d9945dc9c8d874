"""Records that take every path of the kernel, so that it is compiled before the first real one comes.

`python -m fraud.features.warming` compiles into NUMBA_CACHE_DIR; the images keep that as
`fraud.compiled.BUILT`.
"""

from typing import Final

import msgspec
import numpy as np

from fraud.contracts.examples import EXAMPLES
from fraud.decoding.decoder import Decoder
from fraud.features.encoder import SPEC, Encoder
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskTable, RiskTables
from fraud.history.history import History, HistoryConfig
from fraud.history.kernel.event_measures import EVENT_MEASURES, columns_of
from fraud.history.kernel.layout import KINDS
from fraud.history.kernel.measures import new_scratch
from fraud.history.kernel.update import look_up
from fraud.money import Rates
from fraud.privacy.card_numbers import tokeniser

_TRANSACTION: Final = EXAMPLES["transaction"][1]

RECORDS: Final = tuple(
    msgspec.json.encode(event)
    for event in (
        _TRANSACTION,
        _TRANSACTION,  # a duplicate
        _TRANSACTION | {"amount": "1.00"},  # a conflict
        EXAMPLES["transaction_minimal"][1],
        *(
            EXAMPLES["outcome"][1] | {"outcome_id": kind, "kind": kind}
            for kind in ("authorised", "declined", "refunded")
        ),
        _TRANSACTION | {"transaction_id": "tx-next", "event_time": "2026-01-06T10:00:00Z"},
        {"type": "no such"},  # a dead letter
    )
)
"""Values of input records in log order."""

TIME_US: Final = 1_767_700_000_000_000
"""A Kafka timestamp for all of them: a day after the events."""


def main() -> None:
    """Compile the kernel, as encoding does."""
    decoder = Decoder(Rates.default("EUR"), max_ahead_us=0, pan_token=tokeniser(b"\0" * 32))
    batch = decoder.decode(RECORDS, [TIME_US] * len(RECORDS)).batch
    history = History(HistoryConfig())
    encoder = Encoder(SPEC, history)
    nothing = np.zeros(0, np.uint64), np.zeros((0, len(RISK_WINDOWS_DAYS)), np.float32)
    risk = RiskTables([RiskTable("merchant", 0, *nothing)])
    for _ in range(2):  # the second batch finds a history, and what the first has compiled
        encoder.encode(batch, risk)
    look_up(history.state, history.limits, columns_of(batch), 0, new_scratch(len(KINDS), len(EVENT_MEASURES)))
    History.from_arrays(history.config, history.arrays())


if __name__ == "__main__":
    main()
