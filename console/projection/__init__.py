"""What the topics say, in SQLite: made from the log alone, and made anew from it at any time."""
