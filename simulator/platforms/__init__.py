"""Platforms: what they sell, where, and their configuration."""
