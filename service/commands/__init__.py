"""The command line: a module for each command, which loads what it needs when it is called."""
