"""Settings of iterative solvers of linear systems, judged by counts of what they do and not by time."""
