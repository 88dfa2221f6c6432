"""HubSpot: contacts that refuse a second record of one e-mail or of our own unique key. Facts and gaps: README.md."""
