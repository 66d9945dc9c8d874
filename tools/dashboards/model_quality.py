"""Is the model good: which one serves, what it promised and delivers, drift, the loop."""

from tools.dashboards.panels import FIRING, Board, Panel, Query, Row, number

DAY = 86_400

_NOW = Row(
    "Good when every tile is green",
    (
        FIRING,
        Panel(
            "Champion",
            (Query('max by (version) (fraud_model_info{role="champion"})', "v{{version}}"),),
            why="The versions that serve; two at once only during a swap.",
            kind="name",
            width=3,
        ),
        number("Champion's age", "max(fraud_model_age_seconds)", "s", orange=14 * DAY, red=30 * DAY),
        number(
            "Recall",
            "max(fraud_loop_matured_recall) >= 0",
            "percentunit",
            orange=0.5,
            red=0.3,
            why="Of the frauds that are known by now, the share that had raised an alert.",
        ),
        number(
            "Precision",
            "max(fraud_loop_matured_precision) >= 0",
            "percentunit",
            orange=0.1,
            red=0.03,
            why="Of the alerts whose label is known by now, the share that was fraud.",
        ),
        number(
            "Drift",
            'max(fraud_loop_drift{kind=~"features|scores"})',
            orange=0.1,
            red=0.25,
            why="The larger of the population stability indices of features and scores.",
        ),
        number(
            "Newest label's age",
            "max(fraud_loop_label_lag_seconds) >= 0",
            "s",
            orange=3 * DAY,
            red=7 * DAY,
            why="Without labels the loop has nothing to learn from.",
        ),
        number(
            "Loop's last turn",
            "time() - max(fraud_loop_last_success_timestamp_seconds)",
            "s",
            orange=3_600,
            red=2 * DAY,
            why="Since the loop last succeeded in looking at what came.",
        ),
    ),
)
_SCORES = Row(
    "Scores",
    (
        Panel("Share flagged", (Query("fraud:flagged:ratio5m"),), "percentunit"),
        Panel(
            "Score, quantiles",
            tuple(
                Query(
                    f"histogram_quantile({q}, sum by (le) (rate(fraud_score_bucket[5m])))",
                    f"p{q * 100:g}",
                )
                for q in (0.5, 0.9, 0.99)
            ),
            "percentunit",
        ),
        Panel(
            "Explored",
            (Query("sum(rate(fraud_explored_total[5m]))"),),
            "reqps",
            why="Would-be blocks let through to learn whether they were fraud.",
        ),
    ),
)
_VERSIONS = Row(
    "Versions",
    (
        Panel(
            "Promised and realised",
            (
                Query(
                    'max by (figure, version) (fraud_loop_promised{figure=~"precision|recall"})',
                    "promised {{figure}} v{{version}}",
                ),
                Query(
                    'max by (figure, version) (fraud_loop_realised{figure=~"precision|recall"})',
                    "realised {{figure}} v{{version}}",
                ),
            ),
            "percentunit",
            why="Realised well below promised: FraudModelBelowPromise.",
            width=12,
        ),
        Panel(
            "Shadow agrees with champion",
            (Query("sum by (result) (rate(fraud_shadow_agreement_total[5m]))", "{{result}}"),),
            "reqps",
            width=6,
        ),
        Panel(
            "Shadow would alert",
            (Query("sum(rate(fraud_shadow_would_alert_total[5m]))"),),
            "reqps",
            width=6,
        ),
        Panel(
            "Serving",
            (Query("max by (version, role) (fraud_model_info)", "v{{version}} {{role}}"),),
            width=12,
        ),
        Panel(
            "Swaps",
            (Query("sum by (result) (increase(fraud_model_swaps_total[5m]))", "{{result}}"),),
            width=12,
        ),
    ),
)
_LOOP = Row(
    "The loop",
    (
        Panel("Drift by kind", (Query("max by (kind) (fraud_loop_drift)", "{{kind}}"),)),
        Panel("Runs by decision", (Query("sum by (decision) (increase(fraud_loop_runs_total[1h]))", "{{decision}}"),)),
        Panel("Age of the newest label", (Query("max(fraud_loop_label_lag_seconds) >= 0"),), "s"),
        Panel(
            "Labels of unknown payments",
            (Query("max(fraud_loop_unknown_labels)"),),
            why="Growing: labels arrive under ids that the payments do not have.",
            width=6,
        ),
        Panel(
            "Payments behind the precision",
            (Query('max by (version) (fraud_loop_realised{figure="effective"})', "v{{version}}"),),
            why="Effective sample size: with few, precision is a guess.",
            width=6,
        ),
        Panel(
            "Asks for more reviews",
            (Query("max(fraud_loop_review_sampling)"),),
            why="1 while there is drift and there are no labels to learn from.",
            width=6,
        ),
        Panel(
            "Mended or lost by the feed",
            (
                Query("sum by (fault) (increase(fraud_loop_feed_faults_total[1h]))", "{{fault}}"),
                Query("sum by (kind) (fraud_loop_refused_messages)", "{{kind}} off their contract"),
            ),
            why="Stamps that are no times, records gone before they were read, topics made again; messages left out.",
            width=6,
        ),
        Panel(
            "Frauds reported by age",
            (Query("max by (age_days) (fraud_loop_reported_share)", "{{age_days}} days"),),
            "percentunit",
            why="Of all frauds, the share that is reported at this age; where it sinks, what is known today says less.",
            width=12,
        ),
        Panel(
            "Rate of fraud",
            (Query("max by (kind) (fraud_loop_fraud_rate)", "{{kind}}"),),
            "percentunit",
            why="As reported so far, and corrected for the reports that are still to come; scores stand at the latter.",
            width=12,
        ),
    ),
)

MODEL_QUALITY = Board(
    "fraudstream-model-quality",
    "Fraud · model quality",
    "Which model serves, does it keep its promise, and does it still fit the payments?",
    (_NOW, _SCORES, _VERSIONS, _LOOP),
)
