"""Columns of a table: those that a payment brings itself, what to look for in them, and a base matched to others."""
