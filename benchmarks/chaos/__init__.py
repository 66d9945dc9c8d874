"""Faults on a real broker: after each, every input is scored or set aside exactly once, with undisturbed features."""
