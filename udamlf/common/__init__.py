"""Shared by every room: the one error a user sees, whole files, seeded randomness."""
