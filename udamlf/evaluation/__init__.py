"""Scores: integer confusion matrices and the protocol that leads to a prediction."""
