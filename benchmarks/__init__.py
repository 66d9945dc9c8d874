"""What this project measures, each figure side by side with what it is compared to."""
