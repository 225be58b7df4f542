"""One flow, many customers: decisions; nothing is done here."""
