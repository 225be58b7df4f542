"""Templates: versions, instances, customers files."""
