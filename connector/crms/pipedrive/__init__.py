"""Pipedrive as a CRM."""
