"""Is the checkout answered: in time, by decisions, and to every shop."""

from tools.dashboards.panels import FIRING, Board, Panel, Query, Row, number

_G = "fraud_gateway_"
_BY = f"sum by (by) (rate({_G}answers_total[5m]))"

_NOW = Row(
    "The checkout is served when every tile is green",
    (
        FIRING,
        number("Gateways up", 'sum(up{job="fraud-gateway"})', orange=1, red=0.5),
        number("Payments answered", f"sum(rate({_G}answers_total[5m]))", "reqps"),
        number(
            "Answered by decisions",
            "1 - fraud:gateway_fallbacks:ratio5m",
            "percentunit",
            orange=0.99,
            red=0.95,
            why="The others were answered by the declared fallback; they are scored later.",
        ),
        number("Answer p99", "fraud:gateway_answer_seconds:p99_5m", "s", orange=0.15, red=0.25),
        number("Waiting in the journal", f"sum({_G}unsent)", orange=100, red=10_000),
        number(
            "Longest at the scorer",
            f"max({_G}oldest_seconds)",
            "s",
            orange=0.5,
            red=1,
            why="Beyond a second nobody is made to wait any more.",
        ),
    ),
)
_ANSWERS = Row(
    "Answers",
    (
        Panel("What stands behind them", (Query(_BY, "{{by}}"),), "reqps"),
        Panel(
            "Fallbacks by reason",
            (Query(f"sum by (reason) (rate({_G}fallbacks_total[5m]))", "{{reason}}"),),
            "reqps",
        ),
        Panel(
            "Seconds to an answer",
            (
                Query("fraud:gateway_answer_seconds:p50_5m", "half"),
                Query("fraud:gateway_answer_seconds:p99_5m", "all but one in a hundred"),
            ),
            "s",
        ),
        Panel("By shop", (Query(f"sum by (shop) (rate({_G}answers_total[5m]))", "{{shop}}"),), "reqps"),
        Panel(
            "At the scorer, and the bound",
            (Query(f"sum({_G}at_scorer)", "at the scorer"), Query(f"sum({_G}limit)", "bound")),
        ),
        Panel(
            "Not decided yet; decided after the answer",
            (Query(f"sum({_G}undecided)", "undecided"), Query(f"sum(rate({_G}linked_total[5m]))", "linked a second")),
        ),
    ),
)
_REST = Row(
    "Requests",
    (
        Panel(
            "By operation and status",
            (Query(f"sum by (operation, status) (rate({_G}requests_total[5m]))", "{{operation}} {{status}}"),),
            "reqps",
        ),
        Panel("Over their rate", (Query(f"sum by (shop) (rate({_G}limited_total[5m])) > 0", "{{shop}}"),), "reqps"),
        Panel(
            "Outcomes and labels",
            (
                Query(f"sum by (kind) (rate({_G}accepted_total[5m]))", "{{kind}} accepted"),
                Query(f"sum by (kind) (rate({_G}rejected_total[5m]))", "{{kind}} refused"),
            ),
            "reqps",
        ),
        Panel(
            "Dispute notices an hour",
            (Query(f"sum by (processor, result) (increase({_G}disputes_total[1h]))", "{{processor}} {{result}}"),),
        ),
        Panel("Event loop late by", (Query(f"max({_G}loop_lag_seconds)"),), "s"),
    ),
)

GATEWAY = Board(
    "fraudstream-gateway",
    "Fraud · gateway",
    "Answers at checkout: in time, by decisions, to every shop.",
    (_NOW, _ANSWERS, _REST),
)
