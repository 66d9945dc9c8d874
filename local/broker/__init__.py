"""A genuine Apache Kafka broker on this machine, without Docker."""
