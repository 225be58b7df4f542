"""The tests of FlowStudio, one folder per package; run from the root of the checkout."""
