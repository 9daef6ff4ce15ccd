"""Models of what was observed: `fit` gives a posterior that acquisitions, also those of BoTorch, take."""
