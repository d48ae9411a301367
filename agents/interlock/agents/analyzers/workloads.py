"""Workloads as analyzers read them: what they ask for, how they are, and which revisions they have."""

from datetime import datetime

from pydantic import JsonValue

from interlock.agents.analyzers.objects import Condition, Part, PodSpec, Resource, condition_of


class LabelSelector(Part):
    """Which labels belong to it."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[dict[str, JsonValue], ...] = ()


class Template(Part):
    """What pods are made from."""

    metadata: dict[str, JsonValue] = {}
    spec: PodSpec = PodSpec()

    @property
    def labels(self) -> dict[str, str]:
        """The labels that its pods get."""
        labels = self.metadata.get("labels")
        return {k: str(v) for k, v in labels.items()} if isinstance(labels, dict) else {}


class Revision(Part):
    """A ReplicaSet as a revision of its Deployment."""

    name: str
    revision: int = 0
    hash: str = ""
    created: datetime | None = None
    wanted: int = 0
    replicas: int = 0
    ready: int = 0
    template: Template = Template()
    conditions: tuple[Condition, ...] = ()


class WorkloadSpec(Part):
    """What a workload asks for."""

    replicas: int | None = None
    paused: bool = False
    template: Template = Template()
    selector: LabelSelector = LabelSelector()
    strategy: dict[str, JsonValue] = {}
    update_strategy: dict[str, JsonValue] = {}
    service_name: str = ""
    volume_claim_templates: tuple[dict[str, JsonValue], ...] = ()


class WorkloadStatus(Part):
    """How a workload is."""

    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    unavailable_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class Workload(Resource):
    """A Deployment, StatefulSet or DaemonSet."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    def condition(self, kind: str) -> Condition | None:
        """The condition of this type."""
        return condition_of(self.status.conditions, kind)


class Deployment(Workload):
    """A Deployment."""

    kind = "Deployment"
    plural = "deployments"


class StatefulSet(Workload):
    """A StatefulSet."""

    kind = "StatefulSet"
    plural = "statefulsets"


class DaemonSet(Workload):
    """A DaemonSet."""

    kind = "DaemonSet"
    plural = "daemonsets"


class ReplicaSet(Workload):
    """A ReplicaSet."""

    kind = "ReplicaSet"
    plural = "replicasets"


class JobPods(Workload):
    """A Job, as something that has pods."""

    kind = "Job"
    plural = "jobs"


class BarePod(Workload):
    """A pod that nothing looks after."""

    kind = "Pod"
    plural = "pods"


class JobSpec(Part):
    """What a Job asks for."""

    backoff_limit: int = 6
    completions: int | None = 1
    parallelism: int = 1
    suspend: bool = False
    template: Template = Template()


class JobStatus(Part):
    """How a Job is."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()


class Job(Resource):
    """A Job."""

    kind = "Job"
    plural = "jobs"

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @property
    def cron(self) -> str:
        """The CronJob that made it; empty where none did."""
        return next((owner.name for owner in self.metadata.owner_references if owner.kind == "CronJob"), "")

    @property
    def began(self) -> str:
        """When it began, as text that sorts; empty where that is not known."""
        began = self.status.start_time or self.metadata.creation_timestamp
        return began.isoformat() if began is not None else ""


class CronJobSpec(Part):
    """What a CronJob asks for."""

    schedule: str = ""
    suspend: bool = False
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = "Allow"


class CronJobStatus(Part):
    """How a CronJob is."""

    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(Resource):
    """A CronJob."""

    kind = "CronJob"
    plural = "cronjobs"

    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
