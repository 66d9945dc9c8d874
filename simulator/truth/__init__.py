"""The truth, and what is observed of it: labels, outcomes, the incumbent's rules."""
