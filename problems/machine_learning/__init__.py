"""Hyperparameters of models that are trained anew in each evaluation, on data that come with scikit-learn or are drawn.

What differs between seeds is the training. No best value is known. Values depend on the versions of scikit-learn, torch
and numpy, in the last digits on the processor.
"""
