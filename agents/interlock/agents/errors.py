"""What can go wrong outside of this process, named by what the caller can do about it."""


class AgentError(Exception):
    """Base of the errors that agents raise on purpose."""


class StoreUnavailableError(AgentError):
    """The database cannot be written or read now (locked, full, read-only); try again later."""


class ClusterUnavailableError(AgentError):
    """The API server gave no answer that can be used (time-out, no connection, 5xx, 429); try again later."""


class AccessDeniedError(AgentError):
    """The API server refuses this to the agents' identity; trying again changes nothing, a grant does."""


class AlreadyExistsError(AgentError):
    """An object of this name exists; look whether it is ours."""


class RefusedError(AgentError):
    """The API server refuses the object itself (validation, admission, quota); the message says why."""


class IncidentNotFoundError(AgentError):
    """No incident has this identifier."""


class StoreTooNewError(AgentError):
    """A later version of the agents wrote this database; start that version, or give this one another database."""


class ClaimLostError(AgentError):
    """The incident's step is not this process's any more: another took it over, or it is over. Drop the step."""
