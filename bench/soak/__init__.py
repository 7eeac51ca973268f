"""The soak: a server under everything at once, for minutes or hours, and what is left of it."""
