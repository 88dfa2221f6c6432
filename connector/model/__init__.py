"""Values that everybody may know: what a delivery said, what a person is, what became of an event. No I/O."""
