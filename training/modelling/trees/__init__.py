"""Gradient-boosted trees: their training, and options that follow the data."""
