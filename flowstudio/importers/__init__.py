"""What others wrote, as flows: read as data, nothing of it is run."""
