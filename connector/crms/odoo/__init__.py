"""Odoo: contacts as customers, calendar events as appointments."""
