"""Stateful sandboxes for the remote systems, with configurable faults: demo, tests and benchmarks use the same ones."""
