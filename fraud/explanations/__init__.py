"""Reasons of alerts, in sentences an analyst can read."""
