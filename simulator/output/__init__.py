"""Streams as files, JSON lines or Kafka messages."""
