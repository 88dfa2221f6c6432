"""Power cuts: the store's writes and syncs are recorded, every disk a cut could leave is built, and each is opened."""
