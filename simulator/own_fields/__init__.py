"""The platforms' own fields: what a shop sends beyond the standard ones, with known truth."""
