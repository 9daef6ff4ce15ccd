"""Hyperparameters of reinforcement learning: agents that are trained while they are evaluated."""
