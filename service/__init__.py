"""The streaming scorer: transactions in; alerts, decisions and dead letters out, exactly once."""
