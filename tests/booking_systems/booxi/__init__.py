"""Tests of the Booxi adapter and of its sandbox."""
