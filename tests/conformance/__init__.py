"""The same questions to every component: `python -m tests.conformance` writes the reference pages that they check."""
