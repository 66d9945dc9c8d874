"""Anybody's table of payments, mapped to the event schema by a TOML file."""
