"""An operator's tasks beside the running service, each a function; `service.commands` gives them a command line."""
