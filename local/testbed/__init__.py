"""The test bed of tests and benchmarks: sample bundles and events, a run of the scorer, delivery checked."""
