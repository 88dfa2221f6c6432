"""Stateful stand-ins for the far sides, with faults on a knob: demo, tests and benchmarks use the same ones."""
