"""What a command says instead of a traceback: what is wrong, and the way out."""


class CommandError(Exception):
    """The command cannot do what was asked; exit code 1."""

    exit_code = 1

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out


class UsageError(CommandError):
    """The command was called wrongly: the message names the field and its value; exit code 2."""

    exit_code = 2


class Refused(CommandError):
    """The API server did not do it; `status` is its HTTP status, 0 when there was no answer."""

    def __init__(self, status: int, message: str, way_out: str = "") -> None:
        super().__init__(message, way_out)
        self.status = status
