"""Customers and what they do."""
