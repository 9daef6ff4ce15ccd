"""What a new point is worth, and where in a space it is worth most."""
