"""Distributions: one concept per module."""
