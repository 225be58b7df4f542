"""Forms made from what a component declares."""
