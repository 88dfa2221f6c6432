"""Bookeo."""
