"""What comes in and what goes out: events, labels, alerts, decisions, dead letters, announcements; their schemas."""
