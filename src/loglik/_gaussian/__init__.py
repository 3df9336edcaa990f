"""The multivariate normal: which points meet which matrices, gradients, factors, singular and missing parts."""
