"""Measurements of this project, each figure side by side with what it is compared to."""
