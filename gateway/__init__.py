"""The shop's HTTP side: an answer at checkout within a deadline, and outcomes, labels and disputes in."""
