"""Booxi: appointments for stores; it keeps our customer id in each client's module link. Facts and gaps: README.md."""
