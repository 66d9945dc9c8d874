"""`make bench-history`: what the history and its features cost per event, in memory, and to keep and bring back."""
