"""Offline half: simulate, pre-train, adapt, evaluate, promote, and the loop that keeps doing it."""
