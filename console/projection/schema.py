"""The tables. `Projection` fills them from the log; nothing else writes them."""

from typing import Final

VERSION: Final = 3
"""Of the tables and of what fills them: a file of another version is made anew from the log."""

TABLES: Final = """
-- newest_us: the latest stamp of its records.
CREATE TABLE position (
    topic TEXT, partition INTEGER, next INTEGER NOT NULL, newest_us INTEGER NOT NULL, PRIMARY KEY (topic, partition)
);

-- Tables that hold messages have rowids: rows that large would each take pages of their own in an index.
-- from_log: 1 as the transactions topic has it, 0 as an alert repeats it.
CREATE TABLE payment (
    transaction_id TEXT PRIMARY KEY, from_log INTEGER NOT NULL, event_us INTEGER NOT NULL, customer_id TEXT NOT NULL,
    amount TEXT NOT NULL, currency TEXT NOT NULL, raw BLOB NOT NULL
);
CREATE INDEX payment_time ON payment (event_us);
CREATE TABLE link (
    kind TEXT, value TEXT, event_us INTEGER, transaction_id TEXT, PRIMARY KEY (kind, value, event_us, transaction_id)
) WITHOUT ROWID;
CREATE TABLE outcome (
    transaction_id TEXT, outcome_id TEXT, kind TEXT NOT NULL, event_us INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, outcome_id)
) WITHOUT ROWID;
CREATE TABLE alert (alert_id TEXT PRIMARY KEY, raw BLOB NOT NULL);
CREATE TABLE decision (
    transaction_id TEXT, stage TEXT, alert_id TEXT, event_us INTEGER NOT NULL, score REAL NOT NULL,
    action TEXT NOT NULL, model_action TEXT NOT NULL, model_version INTEGER NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (transaction_id, stage)
);
CREATE INDEX decision_of_alert ON decision (alert_id) WHERE alert_id IS NOT NULL;
-- Where a rule or condition fired, or would have in shadow; subject: the alert, or the payment where there is none.
CREATE TABLE hit (
    control_id TEXT, shadow INTEGER, event_us INTEGER, subject TEXT, version INTEGER,
    PRIMARY KEY (control_id, shadow, event_us, subject, version)
) WITHOUT ROWID;
CREATE TABLE label (
    label_id TEXT PRIMARY KEY, transaction_id TEXT NOT NULL, verdict TEXT NOT NULL, source TEXT NOT NULL,
    reason_code TEXT, supersedes TEXT, occurred_us INTEGER NOT NULL, arrived_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX label_of_payment ON label (transaction_id);

-- The first half of a case's row is its alert's or its decision's, the second what its events fold to: either may come
-- first. A row without kind is not shown. A second look has the case that it looks at again, and who judged that.
CREATE TABLE cases (
    case_id TEXT PRIMARY KEY, kind TEXT, transaction_id TEXT, worth REAL, opened_us INTEGER, score REAL, level TEXT,
    action TEXT, amount REAL, currency TEXT,
    version INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'open', holder TEXT,
    claim_until_us INTEGER NOT NULL DEFAULT 0, snooze_until_us INTEGER NOT NULL DEFAULT 0, verdict TEXT, judged_by TEXT,
    judged_us INTEGER NOT NULL DEFAULT 0, label_id TEXT, merged_into TEXT, event_transaction TEXT,
    touched_us INTEGER NOT NULL DEFAULT 0, first_case TEXT, first_by TEXT
);
-- With what pages filter by: a rare level or amount is found without a look at each case (which needs rowids).
CREATE INDEX queue ON cases (status, kind, worth DESC, case_id, level, action, amount);
CREATE INDEX waiting ON cases (status, kind, opened_us);
CREATE INDEX held ON cases (holder) WHERE holder IS NOT NULL;
CREATE INDEX snoozed ON cases (snooze_until_us) WHERE snooze_until_us > 0;
CREATE INDEX judged ON cases (judged_us) WHERE judged_us > 0;
CREATE INDEX merged ON cases (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX second ON cases (first_case) WHERE first_case IS NOT NULL;
CREATE INDEX case_of_payment ON cases (transaction_id);

CREATE TABLE case_event (
    offset INTEGER PRIMARY KEY, case_id TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, by TEXT NOT NULL,
    stamp_us INTEGER NOT NULL, refused TEXT, verdict TEXT, raw BLOB NOT NULL
);
CREATE INDEX history ON case_event (case_id, offset);
-- Verdicts that count.
CREATE INDEX verdicts ON case_event (case_id, by, verdict) WHERE verdict IS NOT NULL;
CREATE INDEX verdict_times ON case_event (stamp_us) WHERE verdict IS NOT NULL;
CREATE TABLE due_label (
    label_id TEXT PRIMARY KEY, offset INTEGER NOT NULL, case_id TEXT NOT NULL, transaction_id TEXT NOT NULL,
    arrived INTEGER NOT NULL, raw BLOB NOT NULL
);
CREATE INDEX still_due ON due_label (arrived) WHERE arrived = 0;

CREATE TABLE control_record (offset INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE announcement (
    partition INTEGER, offset INTEGER, at_us INTEGER NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (partition, offset)
);
CREATE TABLE unread (
    topic TEXT, partition INTEGER, offset INTEGER, why TEXT NOT NULL, PRIMARY KEY (topic, partition, offset)
);
"""

SHOWN: Final = (
    "payment", "link", "outcome", "alert", "decision", "hit", "label", "cases", "case_event", "due_label",
    "control_record", "announcement", "unread",
)  # fmt: skip
"""Tables whose rows are what the pages show: the log alone decides them, however it was cut into batches."""
