"""Tests of the booking systems."""
