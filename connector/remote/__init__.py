"""The toolbox of adapters: HTTP, rate limits, signatures, and reading what a remote system sent."""
