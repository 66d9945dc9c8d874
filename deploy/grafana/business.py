"""What it is worth: fraud loss, chargebacks, approvals, friction, review load, money."""

from deploy.grafana.panels import Board, Panel, Query, Row, number

_B = "fraud_business_"

_NOW = Row(
    "Worth it?",
    (
        number("Fraud loss (bp of settled)", f"max({_B}fraud_loss_bps)", orange=10, red=15),
        number("Chargebacks (bp of settled)", f"max({_B}chargeback_bps)", orange=30, red=50),
        number("Approved", f"max({_B}approval_ratio)", "percentunit", orange=0.97, red=0.9),
        number("Good customers stopped", f"max({_B}insult_ratio)", "percentunit", orange=0.01, red=0.02),
        number("Fraud value caught", f"max({_B}value_recall)", "percentunit", orange=0.5, red=0.3),
        number("Net money", f"max({_B}net_money_total)", why="Loss prevented minus what stopping cost; base currency."),
    ),
)
_RATES = Row(
    "Rates",
    (
        Panel(
            "Fraud loss and chargebacks (bp of settled volume)",
            (
                Query(f"max({_B}fraud_loss_bps)", "fraud loss"),
                Query(f"max({_B}chargeback_bps)", "chargebacks"),
            ),
        ),
        Panel("Approved", (Query(f"max({_B}approval_ratio)"),), "percentunit"),
        Panel(
            "Friction",
            (
                Query(f"max({_B}challenge_ratio)", "challenged"),
                Query(f"max({_B}review_ratio)", "reviewed"),
                Query(f"max({_B}insult_ratio)", "good customers stopped"),
            ),
            "percentunit",
        ),
    ),
)
_MONEY = Row(
    "Money and people",
    (
        Panel("Fraud value caught", (Query(f"max({_B}value_recall)"),), "percentunit"),
        Panel(
            "Value flagged by action",
            (Query("sum by (action) (rate(fraud_flagged_amount_total[5m])) * 3600", "{{action}}"),),
            why="Base currency an hour.",
        ),
        Panel(
            "Value seen",
            (Query("sum(rate(fraud_amount_total[5m])) * 3600"),),
            why="Base currency an hour.",
        ),
        Panel("Review capacity used", (Query(f"max({_B}review_capacity_used_ratio)"),), "percentunit", width=12),
        Panel("Net money", (Query(f"max({_B}net_money_total)"),), width=12),
    ),
)

BUSINESS = Board(
    "fraudstream-business",
    "Fraud · business",
    "What fraud costs, what stopping it costs, and what is left.",
    (_NOW, _RATES, _MONEY),
)
