"""Scripts of alembic that bring a database from each revision to the next; `schema.py` runs them.

A script says the tables as they were then, whatever becomes of them later, and is never changed.
"""
