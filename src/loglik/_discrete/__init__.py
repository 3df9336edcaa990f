"""Probability masses on integers: their arithmetic, batches of them, sums, exact counts."""
