"""What a feature is, the standard catalogue, risk tables, and the encoder from events to rows."""
