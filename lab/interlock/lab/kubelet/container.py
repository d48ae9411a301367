"""One container at one moment: from what happened so far and the time to what is the case now.

Mirrors kubelet's syncPod, image manager and doBackOff; only the times of the back-off are shorter.
"""

import hashlib
from dataclasses import dataclass, field, replace

from interlock.lab.kubelet import probes
from interlock.lab.kubelet.behaviour import ending, program
from interlock.lab.kubelet.history import (
    ContainerHistory,
    EventType,
    KubeletEvent,
    ProbeHistory,
    ProbeKind,
    Run,
    Running,
    Terminated,
    Waiting,
)
from interlock.lab.kubelet.images import Image, ImageTable, PullFailure, unauthorized
from interlock.lab.kubelet.network import Network
from interlock.lab.kubelet.pods import Container, Pod, Probe
from interlock.lab.kubelet.references import References, environment, may_pull, missing_variable, settings_read

BACK_OFF_SECONDS = 2.0
BACK_OFF_LIMIT_SECONDS = 20.0
FORGIVEN_AFTER_SECONDS = 2 * BACK_OFF_LIMIT_SECONDS
RETRY_SECONDS = 2.0
PULL_SHOWN_SECONDS = 1.0
SIGTERM_EXIT = 143
HTTP_UNAVAILABLE = 503
STILLBORN_SECONDS = 3.0
"""A program that ends with an error this soon never comes to listen."""
CREATING = "ContainerCreating"
INITIALIZING = "PodInitializing"


@dataclass(frozen=True)
class World:
    """What a kubelet knows besides the pod."""

    images: ImageTable
    references: References
    network: Network = field(default_factory=Network)


class ContainerSync:
    """Moves one container forward in time; collects the Events on the way."""

    def __init__(self, pod: Pod, container: Container, world: World, now: float, pod_ip: str, *, init: bool) -> None:
        self._pod = pod
        self._container = container
        self._world = world
        self._now = now
        self._pod_ip = pod_ip
        self._init = init
        self.events: list[KubeletEvent] = []

    def advance(self, history: ContainerHistory) -> ContainerHistory:
        """The history now; applied again at the same moment it changes nothing."""
        while (following := self._once(history)) != history:
            history = following
        return history

    def _once(self, history: ContainerHistory) -> ContainerHistory:
        match history.state:
            case Waiting():
                return self._try_start(history, history.state)
            case Running():
                return self._keep_running(history, history.state.run)
            case Terminated():
                return self._after_end(history, history.state)

    # Waiting

    def _try_start(self, history: ContainerHistory, state: Waiting) -> ContainerHistory:
        if history.image != self._container.image:
            fresh = Waiting(CREATING)
            return replace(history, image=self._container.image, state=fresh, pull_back_off=0.0, back_off=0.0)
        if state.reason == "CrashLoopBackOff" and self._now < state.retry_at:
            return history
        image = self._world.images.find(self._container.image)
        if not isinstance(image, PullFailure) and image.private and history.last is None:
            image = image if may_pull(self._pod, self._world.references) else unauthorized(self._container.image)
        if isinstance(image, PullFailure):
            return self._pull_failed(history, state, image)
        problem = missing_variable(self._container, self._pod.metadata.namespace, self._world.references)
        if problem is not None:
            return self._not_configured(history, state, problem)
        return self._start(history, image)

    def _pull_failed(self, history: ContainerHistory, state: Waiting, failure: PullFailure) -> ContainerHistory:
        if state.reason in ("ErrImagePull", "ImagePullBackOff") and self._now < state.retry_at:
            return history
        name = self._container.image
        if state.reason == "ErrImagePull":
            self._say("Normal", "BackOff", f'Back-off pulling image "{name}"')
            self._say("Warning", "Failed", "Error: ImagePullBackOff")
            message = f'Back-off pulling image "{name}": ErrImagePull: {failure.message}'
            back_off = _longer(history.pull_back_off)
            waiting = Waiting("ImagePullBackOff", message, self._now + back_off)
            return replace(history, state=waiting, pull_back_off=back_off)
        self._say("Normal", "Pulling", f'Pulling image "{name}"')
        self._say("Warning", "Failed", f'Failed to pull image "{name}": {failure.message}')
        self._say("Warning", "Failed", "Error: ErrImagePull")
        return replace(history, state=Waiting("ErrImagePull", failure.message, self._now + PULL_SHOWN_SECONDS))

    def _not_configured(self, history: ContainerHistory, state: Waiting, problem: str) -> ContainerHistory:
        if state.message == problem and self._now < state.retry_at:
            return history
        self._say_pulled()
        self._say("Warning", "Failed", f"Error: {problem}")
        waiting = Waiting("CreateContainerConfigError", problem, self._now + RETRY_SECONDS)
        return replace(history, state=waiting)

    def _start(self, history: ContainerHistory, image: Image) -> ContainerHistory:
        self._say_pulled()
        self._say("Normal", "Created", "Container created")
        self._say("Normal", "Started", "Container started")
        restarts = history.restarts + 1 if history.last else history.restarts
        return replace(
            history,
            state=Running(self._run(image, restarts)),
            restarts=restarts,
            back_off=_longer(history.back_off) if history.last else 0.0,
            pull_back_off=0.0,
            probes={kind: probes.first(kind, probe, self._now) for kind, probe in self._probes().items()},
        )

    def _run(self, image: Image, restarts: int) -> Run:
        running = program(image, self._container, stays=self._stays())
        variables = environment(self._container, self._pod.metadata.namespace, self._world.references)
        identity = f"{self._pod.metadata.uid}/{self._container.name}/{restarts}"
        return Run(
            container_id=f"containerd://{hashlib.sha256(identity.encode()).hexdigest()}",
            started=self._now,
            log=running.log,
            chatter=running.chatter.lines,
            chatter_every=running.chatter.every,
            ending=ending(running, self._container, variables),
            settings=self._settings(),
        )

    def _settings(self) -> frozenset[tuple[str, tuple[str, str], str]]:
        return settings_read(self._container, self._pod.metadata.namespace, self._world.references)

    # Running

    def _keep_running(self, history: ContainerHistory, run: Run) -> ContainerHistory:
        if history.image != self._container.image:
            changed = replace(history, image=self._container.image, back_off=0.0)
            return self._kill(changed, run, f"Container {self._container.name} definition changed, will be restarted")
        if run.ending is not None and self._now >= run.started + run.ending.after:
            finished = run.started + run.ending.after
            return self._end(history, run, run.ending.reason, run.ending.exit_code, finished)
        for kind, probe in self._probes().items():
            if kind != "startup" and not history.started:
                break
            probed = history.probes[kind]
            if self._now >= probed.next_at:
                return self._probed(history, run, kind, probes.judge(probe, probed, self._fails(kind, run), self._now))
        return history

    def _fails(self, kind: ProbeKind, run: Run) -> bool:
        probe = self._probes()[kind]
        image = self._world.images.find(self._container.image)
        if isinstance(image, PullFailure):  # it was pulled when it ran, and the table does not change
            return False
        running = program(image, self._container, stays=self._stays())
        if run.ending is not None and run.ending.exit_code and run.ending.after <= STILLBORN_SECONDS:
            running = running.model_copy(update={"listens": ()})
        problem = probes.failure(probe, self._container, running, self._pod_ip, self._now - run.started)
        if problem is None and running.keeps_settings and run.settings != self._settings():
            problem = probes.status_words(HTTP_UNAVAILABLE)
        if problem is None and kind == "readiness" and not self._reaches_all(running):
            problem = probes.status_words(HTTP_UNAVAILABLE)
        if problem is not None:
            self._say("Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {problem}")
        return problem is not None

    def _reaches_all(self, running: Image) -> bool:
        meta = self._pod.metadata
        return all(self._world.network.reaches(meta.namespace, meta.labels, address) for address in running.calls)

    def _probed(self, history: ContainerHistory, run: Run, kind: ProbeKind, result: ProbeHistory) -> ContainerHistory:
        history = replace(history, probes={**history.probes, kind: result})
        deadly = kind != "readiness" and not result.passed and result.failures
        if deadly and result.failures >= self._probes()[kind].failure_threshold:
            fate = ", will be restarted" if self._restarts(SIGTERM_EXIT) else ""
            return self._kill(history, run, f"Container {self._container.name} failed {kind} probe{fate}")
        return history

    def _kill(self, history: ContainerHistory, run: Run, why: str) -> ContainerHistory:
        self._say("Normal", "Killing", why)
        return self._end(history, run, "Error", SIGTERM_EXIT, self._now)

    def _end(self, history: ContainerHistory, run: Run, reason: str, code: int, finished: float) -> ContainerHistory:
        run = replace(run, finished=finished)
        forgiven = finished - run.started >= FORGIVEN_AFTER_SECONDS
        back_off = 0.0 if forgiven else history.back_off
        return replace(history, state=Terminated(run, reason, code, finished), probes={}, back_off=back_off)

    # Terminated

    def _after_end(self, history: ContainerHistory, state: Terminated) -> ContainerHistory:
        if not self._restarts(state.exit_code):
            return history
        retry_at = state.finished + history.back_off
        if self._now >= retry_at:
            return replace(history, last=state, state=Waiting(CREATING))
        pod = self._pod.metadata
        full = f"{pod.name}_{pod.namespace}({pod.uid})"
        self._say("Warning", "BackOff", f"Back-off restarting failed container {self._container.name} in pod {full}")
        message = f"back-off {history.back_off:.0f}s restarting failed container={self._container.name} pod={full}"
        return replace(history, last=state, state=Waiting("CrashLoopBackOff", message, retry_at))

    def _restarts(self, code: int) -> bool:
        if self._stays():
            return True
        return code != 0 and self._pod.spec.restart_policy != "Never"

    def _stays(self) -> bool:
        if self._init:
            return self._container.restart_policy == "Always"
        return self._pod.spec.restart_policy == "Always"

    def _probes(self) -> dict[ProbeKind, Probe]:
        return probes.probes_of(self._container)

    def _say_pulled(self) -> None:
        self._say("Normal", "Pulled", f'Container image "{self._container.image}" already present on machine')

    def _say(self, type_: EventType, reason: str, message: str) -> None:
        self.events.append(KubeletEvent(type_, reason, message, self._container.name, self._init))


def wake_at(history: ContainerHistory) -> float | None:
    """When the container changes next if nothing else happens."""
    match history.state:
        case Waiting(retry_at=retry_at):
            return retry_at or None
        case Running(run=run):
            moments = [probe.next_at for probe in history.probes.values()]
            if run.ending is not None:
                moments.append(run.started + run.ending.after)
            return min(moments, default=None)
        case Terminated():
            return None


def _longer(back_off: float) -> float:
    return min(back_off * 2, BACK_OFF_LIMIT_SECONDS) if back_off else BACK_OFF_SECONDS
