"""Broken, hostile and odd input by seed: records against the running service and loop, files against their loaders."""
