"""Formulas of divergences: rows of probabilities, pairs of Gaussians."""
