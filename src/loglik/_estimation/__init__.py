"""How `loglik.estimate` estimates: what samples, integrates and bounds. Nothing here is public.

An estimator is extended to more and more samples and can be asked for a `Summary` in between:

- `gaussian.GaussianSampler`: two normal distributions, in fused tiles that never store a sample.
- `blocks.BlockSampler`: anything that samples, in blocks; with control variates where the sampled distribution is ours.
- `halves.Halves`: the mean of two of them, one under p and one under q, for the Jensen-Shannon divergence.
- `lattice.LatticeSampler`: quasi-Monte Carlo with independent replicates.

`quadrature` integrates over the real line instead. `intervals` turns a summary into an interval.
"""
