"""Runs flows for someone: a person at a screen, or many customers."""
