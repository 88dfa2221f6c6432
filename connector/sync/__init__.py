"""Who is who, and what is written: one event from its client to the linked customer."""
