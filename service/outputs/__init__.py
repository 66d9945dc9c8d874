"""Alerts, decisions and dead letters as messages."""
