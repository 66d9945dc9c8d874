"""Everything that touches the world: Kafka, files, TensorFlow, HTTP, clocks, logs."""
