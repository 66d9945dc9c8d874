"""The shop's own fields in the history: entities with counters, and how often values were seen."""
