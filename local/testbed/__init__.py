"""What tests and benchmarks share: sample bundles and events, a service process that may be hurt, delivery checked."""
