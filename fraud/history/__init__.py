"""The state behind velocity features: integers in arrays, a pure function of a partition's records."""
