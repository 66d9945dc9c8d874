"""What an operator does with controls: files, checks, their log, past payments under them, confirmed frauds."""
