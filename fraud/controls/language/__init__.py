"""The language of rules: typed, total, bounded; read from text, checked against a vocabulary, run over columns."""
