"""Zoho CRM: contacts that refuse a second record of our own unique key. Facts and gaps: README.md."""
