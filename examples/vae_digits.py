"""
A variational autoencoder with PyTorch
======================================

It learns 8×8 digits with the losses of loglik, and with torch's own: ``pip install torch && python examples/vae_digits.py``.

The evidence lower bound of an image is log p(x | z) − KL(q(z | x) ‖ p(z)). Each pixel is a Bernoulli variable, whose
"probability of ink" is its grey value. Both runs start from the same weights and see the same noise; only the two terms of the
loss are other functions. Both are shown as they are written, and under torch.compile where there is a C++ compiler.
"""

import argparse
import time

import torch
from torch import nn
from torch.nn import functional

from loglik import set_num_threads
from loglik import torch as llt
from loglik.data import load_digits

LATENT = 8


class VAE(nn.Module):
    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2 * LATENT))
        self.decode = nn.Sequential(nn.Linear(LATENT, hidden), nn.ReLU(), nn.Linear(hidden, 64))

    def forward(self, x, noise):
        loc, log_variance = self.encode(x).chunk(2, dim=-1)
        return self.decode(loc + (0.5 * log_variance).exp() * noise), loc, log_variance


def with_loglik(x, logits, loc, log_variance):
    """Negative evidence lower bound, summed over the images."""
    return llt.bernoulli_nll(x, logits=logits, reduction="sum") + llt.kl_standard_normal(loc, log_variance, reduction="sum")


def with_torch(x, logits, loc, log_variance):
    kl = 0.5 * (loc.square() + log_variance.exp() - 1 - log_variance).sum()
    return functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl


class Training:
    """A model, its optimiser and its noise."""

    def __init__(self, loss, images, batch, compiled):
        torch.manual_seed(0)
        self.images, self.batch, self.loss = images, batch, loss
        self.model = VAE()
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=3e-3)
        self.noise = torch.Generator().manual_seed(1)
        self.objective = torch.compile(self._objective) if compiled else self._objective

    def _objective(self, x, noise):
        return self.loss(x, *self.model(x, noise))

    def step(self, x):
        self.optimiser.zero_grad()
        value = self.objective(x, torch.randn(len(x), LATENT, generator=self.noise))
        value.backward()
        self.optimiser.step()
        return value

    def epoch(self):
        """Seconds for each step, over all full batches in a random order, and the mean loss."""
        order = torch.randperm(len(self.images), generator=self.noise)
        batches = [self.images[rows] for rows in order.split(self.batch) if len(rows) == self.batch]
        total, start = 0.0, time.perf_counter()
        for x in batches:
            total += self.step(x).detach()
        return (time.perf_counter() - start) / len(batches), float(total) / len(batches) / self.batch


def compare(images, batch, epochs, compiled):
    """Prints seconds per step of both, which take turns, and their last losses in nats per image."""
    both = {"loglik": Training(with_loglik, images, batch, compiled), "torch": Training(with_torch, images, batch, compiled)}
    seconds, losses = {name: [] for name in both}, dict.fromkeys(both, 0.0)
    for training in both.values():
        training.epoch()
    for _ in range(epochs):
        for name, training in both.items():
            spent, losses[name] = training.epoch()
            seconds[name].append(spent)
    ours, theirs = min(seconds["loglik"]), min(seconds["torch"])
    print(
        f"  {'compiled' if compiled else 'as written':10} batch {batch:4}: "
        f"loglik {ours * 1e6:5.0f} µs a step, torch {theirs * 1e6:5.0f} µs "
        f"({theirs / ours:.2f} x); loss {losses['loglik']:.3f} and {losses['torch']:.3f} nats an image"
    )
    return ours, theirs, losses


def main() -> None:
    parser = argparse.ArgumentParser(description="VAE of digits: loglik's losses beside torch's")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 512, 1797])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="also under torch.compile")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    set_num_threads(options.threads)
    images = torch.from_numpy(load_digits().images).reshape(-1, 64) / 16
    print(f"{len(images)} images, threads: {options.threads}; the fastest epoch of {options.epochs}")
    for compiled in (False, True)[: 1 + options.compile]:
        for batch in options.batch:
            compare(images, batch, options.epochs, compiled)


if __name__ == "__main__":
    main()
