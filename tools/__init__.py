"""What maintainers run: dashboards as code, tables for the docs."""
