"""Dispute webhooks of processors: verified, then mapped to labels."""
