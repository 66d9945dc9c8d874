"""Decoding: raw records, or Arrow columns, to a `Batch`, validated, with card numbers masked."""
