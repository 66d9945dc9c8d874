"""The evaluation of models: figures with intervals, forecasts, reports."""
