"""Doors: other frameworks that bbo works inside, or that a study works with."""
