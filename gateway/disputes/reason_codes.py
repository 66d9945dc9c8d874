"""What a dispute's reason says of a payment: the schemes' codes and the processors' words.

Sources: Visa Core Rules, dispute conditions 10 to 13; Mastercard Chargeback Guide, message reason codes; American
Express and Discover, dispute codes; Stripe, dispute categories (https://docs.stripe.com/disputes/categories); Adyen,
reason codes (https://docs.adyen.com/risk-management/chargeback-guidelines/chargeback-reason-codes).
"""

import re
from typing import Final

from fraud.contracts.inbound import Verdict

STRIPE: Final[dict[str, Verdict]] = {
    "fraudulent": "unauthorised",
    "unrecognized": "unauthorised",
    "debit_not_authorized": "unauthorised",
    "credit_not_processed": "service",
    "duplicate": "service",
    "general": "service",
    "incorrect_account_details": "service",
    "product_not_received": "service",
    "product_unacceptable": "service",
    "subscription_canceled": "service",
}
"""Reasons of Stripe that say what it was; of the others nobody knows."""

_SCHEMES: Final[tuple[tuple[re.Pattern[str], Verdict], ...]] = (
    (re.compile(r"10\.[1-5]"), "unauthorised"),  # Visa: fraud
    (re.compile(r"1[1-3]\.[1-9]\d?(\.\d)?"), "service"),  # Visa: authorisation, processing, consumer disputes
    (re.compile(r"(48)?(37|40|49|63|70|71)"), "unauthorised"),  # Mastercard: fraud
    (re.compile(r"(48)?(08|12|31|34|41|42|46|50|53|54|55|59|60)"), "service"),  # Mastercard: the rest
    (re.compile(r"F(10|14|22|24|29|30|31)"), "unauthorised"),  # American Express: fraud
    (re.compile(r"[ACMPR]\d\d"), "service"),  # American Express: authorisation, cardmember, processing
    (re.compile(r"UA\d\d"), "unauthorised"),  # Discover: fraud
    (re.compile(r"(AA|AP|AT|AW|CD|CR|DA|DP|EX|IC|IN|LP|NA|NC|NF|RG|RM|RN)\d?"), "service"),  # Discover: the rest
)


def verdict_of_code(code: str) -> Verdict | None:
    """What a scheme's reason code says; None where it says nothing known."""
    return next((verdict for pattern, verdict in _SCHEMES if pattern.fullmatch(code.strip().upper())), None)
