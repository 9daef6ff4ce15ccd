"""Reactions: their conditions, and what comes of them."""
