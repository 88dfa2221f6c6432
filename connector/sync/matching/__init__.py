"""Finding the customer of a client: rules in their order, evidence, look-ups."""
