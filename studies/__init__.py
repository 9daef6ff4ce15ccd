"""Studies: asking, telling, running, and what is made of their logs."""
