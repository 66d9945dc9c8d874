"""The demo on one machine: pre-train, adapt, start the service on a local Kafka, stream, read the alerts."""
