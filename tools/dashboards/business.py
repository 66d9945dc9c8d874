"""What it is worth: fraud loss, chargebacks, approvals, friction, review load, money."""

from tools.dashboards.panels import FIRING, Board, Panel, Query, Row, number

_B = "fraud_business_"


def _known(name: str) -> str:
    """What the loop can say by now; nothing where it cannot yet."""
    return f"max({_B}{name}) > -Inf"


_NOW = Row(
    "Worth it when every tile is green",
    (
        FIRING,
        number("Fraud loss, bp of settled", _known("fraud_loss_bps"), orange=65, red=90),
        number("Chargebacks, bp", _known("chargeback_bps"), orange=65, red=90),
        number("Approved", _known("approval_ratio"), "percentunit", orange=0.9, red=0.8),
        number("Good customers stopped", _known("insult_ratio"), "percentunit", orange=0.01, red=0.02),
        number("Fraud value caught", _known("value_recall"), "percentunit", orange=0.5, red=0.3),
        number("Review capacity used", _known("review_capacity_used_ratio"), "percentunit", orange=0.9, red=1),
        number(
            "Net money",
            _known("net_money_total"),
            orange=0,
            red=-1,
            why="Loss prevented minus what stopping cost, on payments with known labels; base currency.",
        ),
    ),
)
_RATES = Row(
    "Rates",
    (
        Panel(
            "Fraud loss (bp of volume), chargebacks (bp of payments)",
            (
                Query(_known("fraud_loss_bps"), "fraud loss"),
                Query(_known("chargeback_bps"), "chargebacks"),
            ),
        ),
        Panel("Approved", (Query(_known("approval_ratio")),), "percentunit"),
        Panel(
            "Friction",
            (
                Query(_known("challenge_ratio"), "challenged"),
                Query(_known("review_ratio"), "reviewed"),
                Query(_known("insult_ratio"), "good customers stopped"),
            ),
            "percentunit",
        ),
    ),
)
_MONEY = Row(
    "Money and people",
    (
        Panel("Fraud value caught", (Query(_known("value_recall")),), "percentunit"),
        Panel(
            "Value flagged an hour, by action",
            (Query("sum by (action) (rate(fraud_flagged_amount_total[5m])) * 3600", "{{action}}"),),
            why="In the base currency.",
        ),
        Panel(
            "Value seen an hour",
            (Query("sum(rate(fraud_amount_total[5m])) * 3600"),),
            why="In the base currency.",
        ),
        Panel("Review capacity used", (Query(_known("review_capacity_used_ratio")),), "percentunit", width=12),
        Panel("Net money", (Query(_known("net_money_total")),), width=12, signed=True),
    ),
)

_ANALYSTS = Row(
    "Analysts",
    (
        Panel("Open cases", (Query("max(fraud_console_open_cases)"),), why="Alerts that nobody has judged."),
        Panel("Age of the oldest open case", (Query("max(fraud_console_queue_age_seconds)"),), "s"),
        Panel("Verdicts of the last hour", (Query("max(fraud_console_verdicts_hour)"),)),
        Panel(
            "Two analysts, one verdict",
            (Query("max(fraud_console_agreement_ratio)"),),
            "percentunit",
            why="Of cases that two analysts judged: the share in which both said the same.",
        ),
        Panel(
            "Acts that did not count, an hour",
            (
                Query(
                    'sum by (act, result) (rate(fraud_console_acts_total{result!="done"}[5m])) * 3600',
                    "{{act}} {{result}}",
                ),
            ),
            why="Two who wanted one case, stale pages, forms that were refused.",
        ),
        Panel(
            "Log-ins an hour, by result",
            (Query("sum by (result) (rate(fraud_console_logins_total[5m])) * 3600", "{{result}}"),),
        ),
        Panel(
            "Time to answer a page, 95 %",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, route) (rate(fraud_console_request_seconds_bucket[5m])))",
                    "{{route}}",
                ),
            ),
            "s",
        ),
        Panel("Records not read yet", (Query("max(fraud_console_behind_records)"),)),
    ),
)

BUSINESS = Board(
    "fraudstream-business",
    "Fraud · business",
    "What fraud costs, what stopping it costs, and what is left.",
    (_NOW, _RATES, _MONEY, _ANALYSTS),
)
