"""What the figures of the README are measured with: `python -m tests.benchmarks NAME`, one file per subject."""
