"""Property tests draw the same examples every time, however busy the machine is."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
