"""The same job done by other programs: what each is configured with, and how it is installed and started."""
