"""Tryton: parties as customers; appointments as attachments of the party."""
