"""What every program needs of the outside, written once: Kafka, errors, logs, shutdown, HTTP, clock, files."""
