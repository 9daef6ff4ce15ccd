"""`python -m bbo` is `bbo`."""

from bbo.cli import main

main()
