"""What can be wrong with an archive, but for the database itself."""


class ArchiveError(Exception):
    """The archive cannot be used as it is; the message says why and what to do."""
