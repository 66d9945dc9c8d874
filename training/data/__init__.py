"""Event streams replayed through the service's own history and features, into rows to learn from."""
