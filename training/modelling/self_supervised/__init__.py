"""What rows teach without labels: to fill in hidden values, and to expect the next payment from its history."""
