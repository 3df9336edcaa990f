"""How the losses are evaluated: one pass over blocks of targets and predictions."""
