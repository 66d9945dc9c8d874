"""One file of payments to a model and an honest report: what `python -m training try` does, step by step."""
