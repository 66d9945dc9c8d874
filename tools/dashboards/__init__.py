"""Grafana's dashboards, written with Grafana's own schema: ``python -m tools.dashboards`` makes the JSON."""
