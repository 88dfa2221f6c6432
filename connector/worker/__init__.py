"""The queue at work: accounts, probes, the worker and its housekeeping."""
