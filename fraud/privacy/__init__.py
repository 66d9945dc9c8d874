"""Card numbers, pseudonyms and the keys of both."""
