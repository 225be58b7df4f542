"""A run as data: its events, its payloads and what of them may be shown."""
