"""What can go wrong with a lab, in words that tell the caller what to do next."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and names the way out."""


class ToolchainError(LabError):
    """No usable Go toolchain: neither on PATH nor installable from the package index."""


class BuildError(LabError):
    """A tool of the lab did not compile; the message ends with the compiler's last lines."""


class LabDiedError(LabError):
    """A component ended; the message holds the last lines of its log."""


class ApiError(LabError):
    """The API server refused a request of the lab itself."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the API server answered {status}: {message}")
        self.status = status
