"""The built-in library: one file for each component key, and the logins."""
