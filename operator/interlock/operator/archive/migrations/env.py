"""Run by alembic for each migration, inside of the transaction that `migrate` has begun and locked."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
