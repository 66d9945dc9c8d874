"""Features: their specification, the standard catalogue, risk tables, and the encoder from events to rows."""
