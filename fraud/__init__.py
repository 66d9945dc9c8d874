"""The domain that the service and the training program share: events, history, features, policy, bundles."""
