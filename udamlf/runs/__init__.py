"""Runs: the store, the plan of a chain, keys, processes."""
