"""The service beside its limits and its peers, on one broker, one machine, one stream and one model."""
