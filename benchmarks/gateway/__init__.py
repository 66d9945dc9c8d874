"""The gateway before a real scorer and a real broker: answers in time, through load, kills and outages."""
