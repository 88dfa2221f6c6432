"""Salesforce: contacts under a unique external id, read with SOQL and never with its search. Facts and gaps: README.md."""
