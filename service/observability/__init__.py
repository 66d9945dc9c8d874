"""Metrics, health, and log lines that do not flood."""
