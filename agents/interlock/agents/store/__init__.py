"""The agents' memory: alerts, incidents, evidence and what was asked for. No decision lives anywhere else.

Every method is one transaction, committed with an fsync before it returns (SQLite: WAL, synchronous=FULL), so what a
method promised survives a kill at any moment. Several processes may share one database: an incident's step belongs to
who claimed it, and whoever lost a claim can no longer write. Methods block; callers on an event loop run them in a
thread.
"""

from interlock.agents.store.alerts import Alerts
from interlock.agents.store.executions import Executions
from interlock.agents.store.filing import Batch, Filing, Judged
from interlock.agents.store.incidents import OUR_TURN, Incidents


class Store(Alerts, Filing, Incidents, Executions):
    """Reads and writes the database."""


__all__ = ["OUR_TURN", "Batch", "Judged", "Store"]
