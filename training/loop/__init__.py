"""The closed loop: labels come back, the model re-adapts, the gate decides, the service follows."""
