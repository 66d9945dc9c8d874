"""Kafka by kafka-python: the only place that knows its classes, its errors and its traps."""
