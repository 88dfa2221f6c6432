"""Reviews: clients whose customer a person must choose, and what was chosen."""
