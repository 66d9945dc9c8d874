"""What comes in and what goes out: events, labels, alerts, decisions, dead letters, announcements, and their
schemas."""
