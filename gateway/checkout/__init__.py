"""Answering a payment: who is let in, how long it waits, and what is said when no decision comes in time."""
