"""Data and functions of two columns, for models to be fitted to."""

import torch

D = torch.float64
NONE = torch.empty(0, 2, dtype=D)


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def waves(X):
    return (8 * X[:, :1]).sin() + (9 * X[:, 1:]).cos()


def flat(X):
    return X[:, :1] + 0.3 * (4 * X[:, 1:]).cos() - 0.6
