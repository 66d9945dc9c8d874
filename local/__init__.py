"""A stack on one machine without Docker: broker, programs as child processes, the demo."""
