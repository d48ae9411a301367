"""A stop meets executions in full motion: none has another effect, whether it goes forth, undoes or puts back."""

from datetime import datetime

import pytest
from tests.support.audit import AuditLog
from tests.support.motion import WAYS, Motion, effects_after
from tests.support.scene import Scene
from tests.support.stops import STOPS, Stop, stop_of
from tests.support.waiting import eventually


@pytest.mark.parametrize("which", STOPS)
def test_no_effect_follows_a_stop(scene: Scene, which: str) -> None:
    motion = Motion(scene)
    lab = scene.installation.lab
    with AuditLog(lab.audit_log) as audit, stop_of(which, scene.installation, scene.namespace) as stop:
        motion.begin()
        motion.go()
        in_force = pulled(scene, stop, audit)
        for name in WAYS:
            held = eventually(f"{name} to be held", lambda name=name: motion.held(name))  # type: ignore[misc]
            assert held.reason == stop.reason
        late = effects_after(audit, in_force, scene.namespace)
        # The operator looks at Guardrails before it sends; the API server refuses what the other two stop.
        sent = {name: [seconds for target, seconds in late if target == name] for name in WAYS}
        assert all(len(seconds) <= (not stop.refusal) for seconds in sent.values()), sent
        stop.lift()
        for name, end in motion.ENDS.items():
            scene.ends(end, name=name)
        assert effects_after(audit, in_force, scene.namespace), "the log tells of effects, once there are some"
    on = {name: sum(key.startswith("l") for key in scene.workload(name)["metadata"]["labels"]) for name in WAYS}
    assert on == {"forth": 14, "back": 0, "revert": 0}


def pulled(scene: Scene, stop: Stop, audit: AuditLog) -> datetime:
    """Pulls a stop; when it was in force, by the API server's clock."""
    audit.skip()
    stop.pull()
    if stop.refusal:
        stop.until_in_force()
    marker = f"/api/v1/namespaces/{scene.namespace}"
    assert scene.admin.get(marker).ok
    asked = next(event for event in audit.fresh() if event["requestURI"] == marker and event["verb"] == "get")
    return datetime.fromisoformat(asked["requestReceivedTimestamp"])
