"""What a flow means, and what happens next: pure decisions, nothing is done here."""
