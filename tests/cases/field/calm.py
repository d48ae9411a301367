"""Incidents that are none, and such of which too little is known."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.library import incident
from tests.cases.field.voices import framed, watch
from tests.cases.wild.objects import stamp
from tests.cases.wild.world import DAY, World

WELL = "none.healthy none.recovered none.false-alarm none.watchdog change.unrelated"


@incident("campsites", "all", WELL, flavour="control")
def all_is_well(w: World) -> None:
    watch(w)


@incident("teashop", "plain", WELL, flavour="control")
def all_is_well_here_too(w: World) -> None:
    w.log(w.pods("till")[0], framed(w, "till", 'traces export: context deadline exceeded: rpc error: code = Unavailable desc = connection error: desc = \\"transport: Error while dialing: dial tcp 172.20.0.31:4317: connect: connection refused\\"'))


@incident("teashop", "all", WELL, flavour="control")
def a_release_that_went_well(w: World) -> None:
    for pod in w.rollout("range", lambda c, _: c.update(image="registry.leafandlid.example.com/shop/range:2.1.5"), whole=True):
        w.event(pod, "Started", "Started container range", 1, 835, 835, kind="Normal")
    w.changed(w.work("range"), "image 2.1.4 -> 2.1.5", "-image: …/range:2.1.4\n+image: …/range:2.1.5")
    watch(w)


@incident("campsites", "all", WELL, flavour="control")
def a_setting_that_harmed_nobody(w: World) -> None:
    found = w.get("ConfigMap", "letters-config")
    found["data"]["LOG_LEVEL"] = "debug"
    w.edit(found, 1300, "kubectl-edit", {"f:data": {"f:LOG_LEVEL": {}}})
    w.changed(found, "edited by hand", "-LOG_LEVEL: info\n+LOG_LEVEL: debug", 1300, "kim@example.net")
    w.alert("Watchdog", severity="none", note="This is an alert meant to ensure that the entire alerting pipeline is functional.")
    watch(w)


@incident("campsites", "plain", WELL, flavour="control")
def old_restarts_of_many(w: World) -> None:
    for name in ("suggest", "letters", "photos", "map-index"):
        w.restarted(w.pods(name)[0], 2, 6 * DAY, 137, "OOMKilled" if name == "suggest" else "Error")
    w.restarted(w.pods("wallet")[0], 5, 9 * DAY, 143)


@incident("teashop", "all", WELL, flavour="control")
def scaled_up_for_the_sale(w: World) -> None:
    made = w.work("shopfront")
    made["spec"]["replicas"] = 4
    w.edit(made, 5000, "kubectl", {"f:spec": {"f:replicas": {}}})
    for number in (2, 3):
        w.pod(made, number, 4990)
    w.changed(made, "scaled from 2 to 4", "-replicas: 2\n+replicas: 4", 5000, "kim@example.net")
    watch(w, load={"edge": 16.0})


@incident("campsites", "plain", WELL, flavour="control")
def slow_queries_of_the_night(w: World) -> None:
    w.log(w.pods("mongo-reviews")[0], '{"t":{"$date":"' + stamp(3100) + '"},"s":"I","c":"COMMAND","id":51803,"ctx":"conn12","msg":"Slow query","attr":{"ns":"reviews.all","planSummary":"IXSCAN { pitch: 1 }","durationMillis":142}}')
    w.log(w.pods("reviews")[0], framed(w, "reviews", "(node:1) Warning: collection.count is deprecated, and will be removed in a future version").replace('"level":50', '"level":40'))
    w.log(w.pods("stays")[0], f"{stamp(2000)}  WARN 1 --- [stays] [scheduling-1] i.j.i.r.RemoteReporter : FlushCommand execution failed! Repeated errors of this command will not be logged.")


@incident("teashop", "plain", WELL, flavour="control")
def a_job_that_was_repeated_and_ended_well(w: World) -> None:
    pod = w.pods("mailer")[0]
    w.event(pod, "Unhealthy", f'Readiness probe failed: Get "http://{pod["status"]["podIP"]}:6060/healthz": context deadline exceeded', 1, 3000, 3000)
    w.restarted(w.pods("fraud-watch")[0], 1, 2 * DAY, 1)


@incident("campsites", "plain", "", flavour="thin")
def portal_answers_errors_and_nobody_says_why(w: World) -> None:
    w.say("portal", '{"level":"error","ts":"' + stamp(60) + '","msg":"request failed","status":500}')


@incident("teashop", "all", "", flavour="thin")
def checkout_alert_and_nothing_else(w: World) -> None:
    w.alert("SyntheticCheckFailed", note="The synthetic order of 09:35 failed, the one of 09:40 did not")
    watch(w)


@incident("campsites", "plain", "", flavour="thin", drop="Event")
def a_pod_that_waits_without_a_word(w: World) -> None:
    pod = w.pods("reviews")[0]
    w.remove(pod)
    w.wait(w.pod(w.work("reviews"), 7, 50), "ContainerCreating", ago=45)


@incident("teashop", "plain", "", flavour="thin")
def timeouts_to_nobody_named(w: World) -> None:
    w.say("till", framed(w, "till", "context deadline exceeded"), times=3)


@incident("teashop", "all", "", flavour="thin")
def a_little_slower_than_yesterday(w: World) -> None:
    w.alert("ServiceLatencyHigh", service="shopfront", ago=200, note="99th percentile of shopfront is 0.6 s")
    watch(w, slow={"shopfront": 0.6})
