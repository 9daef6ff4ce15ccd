"""Mixtures of training data: recorded runs of language models, and a small one that is trained."""
