"""Grafana's dashboards, written with Grafana's own schema: ``python -m deploy.grafana`` makes the JSON."""
