"""What a person can ask for, by command or on the status page."""
