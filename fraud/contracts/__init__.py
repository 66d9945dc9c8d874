"""Messages in and out and their schemas: events, labels, alerts, decisions, dead letters, announcements."""
