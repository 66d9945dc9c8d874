"""The gate: a candidate takes the champion's place only through it."""
