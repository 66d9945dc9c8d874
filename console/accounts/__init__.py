"""Who may do what: users, sessions, limits, and the record of what they did."""
