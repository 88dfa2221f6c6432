"""Bookeo: tours and classes; our customer id is kept in a custom field, or on each booking. Facts and gaps: README.md."""
