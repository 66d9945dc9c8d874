"""The label ledger: what was known about each payment at a given time."""
