"""Designs of machine elements under limits of strength and shape, as the literature states them."""
