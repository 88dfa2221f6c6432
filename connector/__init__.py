"""connector: booking webhooks in, linked CRM customers out; nothing lost, nobody doubled."""

__version__ = "0.1.0"
