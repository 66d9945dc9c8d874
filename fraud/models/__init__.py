"""A model version on disk."""
