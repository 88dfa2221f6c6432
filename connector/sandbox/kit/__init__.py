"""What the sandboxes share: an application with faults, an outbox, control routes, a server."""
