"""Is the scorer healthy: throughput, latency, lag, dead letters, history, Kafka."""

from tools.dashboards.panels import FIRING, Board, Panel, Query, Row, number

_HEALTH = Row(
    "Healthy when every tile is green",
    (
        FIRING,
        number(
            "Instances up",
            'sum(up{job="fraud-service"})',
            orange=1,
            red=0.5,
            why="Scoring services that answer. 0: payments pass unscored.",
        ),
        number("Payments scored", "fraud:transactions:rate5m", "reqps", why="Rate over five minutes."),
        number(
            "Behind",
            "max(fraud_behind_seconds)",
            "s",
            orange=10,
            red=60,
            why="How long a record may have waited by now, at most, by the service's clock; 0 when none waits.",
        ),
        number("Score latency p99", "fraud:end_to_end_seconds:p99_5m", "s", orange=0.5, red=1),
        number("Dead letters", "fraud:dead_letters:ratio5m", "percentunit", orange=0.001, red=0.01),
        number(
            "History complete",
            "min(fraud_history_complete)",
            orange=1,
            red=0.5,
            why="1: the features see their whole horizon. 0: retention or a warm-up was too short.",
        ),
        Panel(
            "Model that serves",
            (Query('max by (version) (fraud_model_info{role="champion"})', "v{{version}}"),),
            why="Two at once only during a swap.",
            kind="name",
            width=3,
        ),
    ),
)
_FLOW = Row(
    "Flow",
    (
        Panel(
            "Records by kind",
            (Query("sum by (kind) (rate(fraud_records_total[1m]))", "{{kind}}"),),
            "reqps",
        ),
        Panel(
            "Payments by action",
            (Query("sum by (action) (rate(fraud_transactions_total[1m]))", "{{action}}"),),
            "reqps",
        ),
        Panel(
            "Alerts by action",
            (Query("sum by (action) (rate(fraud_alerts_total[1m]))", "{{action}}"),),
            "reqps",
        ),
        Panel(
            "Dead letters by reason",
            (Query("sum by (reason) (rate(fraud_dead_letters_total[5m])) > 0", "{{reason}}"),),
            "reqps",
            why="Each one is an unscored payment; empty is good.",
        ),
        Panel(
            "Records waiting by partition",
            (Query("sum by (partition) (fraud_consumer_lag_records)", "partition {{partition}}"),),
        ),
        Panel(
            "Set aside",
            (
                Query("sum(rate(fraud_duplicates_total[1m]))", "duplicates"),
                Query("sum(rate(fraud_late_total[1m]))", "late events"),
                Query("sum(rate(fraud_ahead_total[1m]))", "events ahead of the others"),
                Query("sum(rate(fraud_pan_masked_total[1m]))", "card numbers masked"),
                Query("sum(rate(fraud_headers_unreadable_total[1m]))", "headers unreadable"),
            ),
            "reqps",
        ),
        Panel(
            "Invalid fields, ignored",
            (Query("sum by (field) (rate(fraud_fields_ignored_total[5m])) > 0", "{{field}}"),),
            "reqps",
            why="The payments are scored without them; empty is good.",
        ),
    ),
)
_SPEED = Row(
    "Speed",
    (
        Panel(
            "From arrival to commit",
            (
                Query("fraud:end_to_end_seconds:p50_5m", "p50"),
                Query("fraud:end_to_end_seconds:p99_5m", "p99"),
            ),
            "s",
        ),
        Panel(
            "Stage, p99",
            (
                Query("fraud:batch_seconds:p99_5m", "{{stage}}"),
                Query("max(fraud_longest_turn_seconds)", "longest turn since the start"),
            ),
            "s",
        ),
        Panel(
            "Busy by stage",
            (Query("sum by (stage) (rate(fraud_batch_seconds_sum[1m]))", "{{stage}}"),),
            "percentunit",
            why="Share of one process's time; together near 100 % means saturated.",
        ),
        Panel(
            "Batch size, mean",
            (Query("sum(rate(fraud_batch_size_sum[1m])) / sum(rate(fraud_batch_size_count[1m]))"),),
        ),
        Panel(
            "Kafka transactions repeated, rebalances",
            (
                Query("sum(increase(fraud_transactions_retried_total[5m]))", "repeated"),
                Query("sum(increase(fraud_rebalances_total[5m]))", "rebalances"),
            ),
        ),
        Panel("Memory", (Query('process_resident_memory_bytes{job=~"fraud-.*"}', "{{job}} {{instance}}"),), "bytes"),
    ),
)
_HISTORY = Row(
    "History and snapshots",
    (
        Panel(
            "Entities remembered", (Query("sum by (entity) (fraud_history_entities)", "{{entity}}"),), why="In memory."
        ),
        Panel(
            "Entities forgotten for room",
            (
                Query("sum by (entity) (rate(fraud_history_evictions_total[5m]))", "{{entity}}"),
                Query("sum(rate(fraud_history_refused_total[5m]))", "attempts without room"),
            ),
            "reqps",
            why="Zero is good: otherwise more are active than there is room for.",
        ),
        Panel(
            "Snapshots",
            (
                Query("max(fraud_snapshot_age_seconds)", "age"),
                Query("max(fraud_snapshot_seconds)", "time to write"),
                Query("max(fraud_restore_seconds)", "last restore"),
            ),
            "s",
        ),
    ),
)

_CONTROLS = Row(
    "Controls: rules, lists, conditions, levers",
    (
        Panel(
            "Payments that rules and conditions fired on",
            (Query("sum by (rule, mode) (rate(fraud_rule_hits_total[5m]))", "{{rule}} ({{mode}})"),),
            "reqps",
        ),
        Panel(
            "Money in them, base currency a second",
            (Query("sum by (rule, mode) (rate(fraud_rule_amount_total[5m]))", "{{rule}} ({{mode}})"),),
        ),
        Panel(
            "Changed by rules, and drawn for review",
            (
                Query("sum(rate(fraud_rule_changed_total[5m]))", "action changed"),
                Query("sum(rate(fraud_sampled_total[5m]))", "allowed, sent to review by lot"),
            ),
            "reqps",
        ),
        Panel(
            "Not computed, not counted, not able to act",
            (
                Query("sum by (rule) (rate(fraud_rule_uncomputed_total[5m]))", "{{rule}} not computed, a second"),
                Query(
                    "sum by (reason) (increase(fraud_controls_refused_total[1h]))",
                    "refused, 1 h: {{reason}}",
                ),
                Query("max(fraud_controls_broken)", "cannot act here"),
            ),
            why="Zero is good, but for payments that lack what a rule reads.",
        ),
        Panel(
            "What acts",
            (
                Query("max by (kind) (fraud_controls_active)", "{{kind}}"),
                Query("max by (list) (fraud_control_list_values)", "values in {{list}}"),
            ),
        ),
        Panel(
            "The controls log",
            (
                Query("max(fraud_controls_age_seconds)", "seconds since it was known to be read"),
                Query("min(fraud_controls_offset)", "position"),
                Query("100 * min(fraud_control_lists_room_ratio)", "% of the lists' room free"),
            ),
        ),
    ),
)

OPERATIONS = Board(
    "fraudstream-operations",
    "Fraud · operations",
    "Is the scoring service healthy, and does it keep up?",
    (_HEALTH, _FLOW, _SPEED, _CONTROLS, _HISTORY),
)
