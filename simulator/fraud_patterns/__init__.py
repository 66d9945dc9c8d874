"""Fraud patterns and their genuine twins."""
