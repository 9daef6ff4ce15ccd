"""Hyperparameters of agents that learn by reinforcement: recorded learning curves, and agents that are trained."""
