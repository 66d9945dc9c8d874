"""Raw records, or Arrow columns, to a `Batch`; what is valid; card numbers masked on the way."""
