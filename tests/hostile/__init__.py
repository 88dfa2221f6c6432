"""Hostile requests: many kinds, on every route, against a real process."""
