"""Controls: rules, lists, conditions and levers that act on what the model says, never on features or score."""
