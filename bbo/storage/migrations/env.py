"""Run by alembic: the scripts work in the transaction of who opened the database."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
