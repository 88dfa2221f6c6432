"""Who a client is: names and normalised keys. Pure."""
