"""Flags, callees, load and releases: nothing is down, and yet it does not work, or not fast enough."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.apps import FLAGS
from tests.cases.field.config import edited, told
from tests.cases.field.library import incident
from tests.cases.field.rolled import crashing
from tests.cases.field.voices import FRAME, framed, passed, spread, watch
from tests.cases.wild.objects import stamp
from tests.cases.wild.world import World


def turned_on(w: World, flag: str) -> None:
    head, tail = FLAGS.split(f'"{flag}"', 1)
    tail = tail.replace('"defaultVariant":"off"', '"defaultVariant":"on"', 1)
    edited(w, "flags-config", **{"flags.json": f'{head}"{flag}"{tail}'})
    pod = w.pods("flags")[0]
    w.log(pod, f'{{"level":"info","ts":"{stamp(890)}","msg":"configuration modified: /etc/flagd/flags.json","component":"file"}}', f'{{"level":"info","ts":"{stamp(890)}","msg":"flag {flag} changed: defaultVariant off -> on","component":"store"}}')


@incident("teashop", "both", "workload.config.changed-and-broken workload.config.value-invalid change.config.correlated", "ConfigMap/flags-config Deployment/flags", "restore-config")
def flag_that_makes_payment_unreachable(w: World) -> None:
    turned_on(w, "paygateUnreachable")
    w.say("till", framed(w, "till", 'failed to charge card: could not charge the card: rpc error: code = Unavailable desc = name resolver error: produced zero addresses (feature flag paygateUnreachable is on, using address badAddress:50051)'))
    spread(w, ["till"], "Internal", "failed to charge card: could not charge the card", 2)
    w.alert("ServiceErrorRateHigh", service="till", note="till answers all orders with an error")
    watch(w, errors={"till": 1.0, "shopfront": 0.2, "edge": 0.2}, load={"paygate": 0.0})


@incident("teashop", "all", "workload.config.changed-and-broken workload.config.value-invalid change.config.correlated", "ConfigMap/flags-config Deployment/flags", "restore-config")
def flag_that_makes_the_range_fail(w: World) -> None:
    turned_on(w, "rangeFailure")
    w.say("range", framed(w, "range", "Error: Range Fail Feature Flag Enabled (rangeFailure) for product OLJCESPC7Z"))
    spread(w, ["range"], "Internal", "Error: Range Fail Feature Flag Enabled", 2)
    w.alert("ServiceErrorRateHigh", service="edge")
    watch(w, errors={"range": 0.1, "shopfront": 0.1, "edge": 0.1, "till": 0.05})


@incident("teashop", "all", "workload.config.changed-and-broken workload.config.value-invalid change.config.correlated workload.cpu.saturated queue.backlog.growing", "ConfigMap/flags-config Deployment/fraud-watch StatefulSet/bus", "restore-config")
def flag_that_floods_the_bus(w: World) -> None:
    turned_on(w, "busFlood")
    w.say("till", FRAME["go"].format(t=stamp(60), me="till", text="Warning: FeatureFlag busFlood is activated, overloading queue now. Done with #100 messages for overload simulation."))
    w.metric("consumer_lag", 'sum by (consumergroup) (kafka_consumergroup_lag{namespace="leafandlid"})', ({"namespace": w.ns, "consumergroup": "fraud"}, [3.0] * 17 + [900.0 * i for i in range(14)]), ({"namespace": w.ns, "consumergroup": "ledger"}, [2.0] * 17 + [500.0 * i for i in range(14)]))
    w.alert("KafkaConsumerLagGrows", consumergroup="fraud", service="fraud-watch", note="Lag of group fraud is 11700 and grows")
    watch(w, cpu={"fraud-watch": 0.46, "bus": 0.7})


@incident("campsites", "both", "workload.dependency.unavailable", "Deployment/card-bridge")
def card_company_does_not_answer(w: World) -> None:
    w.say("card-bridge", framed(w, "card-bridge", "request to https://api.cardpeak.example.net/v2/charges failed: HTTP 503 Service Unavailable"), framed(w, "card-bridge", "connect ETIMEDOUT 203.0.113.77:443 (api.cardpeak.example.net)"))
    w.say("wallet", passed(w, "wallet", "card-bridge", "Unavailable", "upstream https://api.cardpeak.example.net answered 503"))
    spread(w, ["wallet"], "Unavailable", "card-bridge: upstream answered 503", 2)
    w.alert("ServiceErrorRateHigh", service="portal")
    watch(w, errors={"card-bridge": 0.9, "wallet": 0.9, "stays": 0.5, "portal": 0.1})


@incident("teashop", "all", "workload.dependency.slow workload.dependency.unavailable", "Deployment/tare")
def carrier_quotes_take_their_time(w: World) -> None:
    w.say("tare", framed(w, "tare", "cURL error 28: Operation timed out after 5001 milliseconds with 0 bytes received (see https://curl.haxx.se/libcurl/c/libcurl-errors.html) for https://rates.parcelbird.example.com/v1/quote"))
    w.say("postage", framed(w, "postage", "error sending request for url (http://tare:8090/quote): operation timed out"))
    spread(w, ["postage"], "DeadlineExceeded", "quote: operation timed out", 2)
    w.alert("ServiceLatencyHigh", service="till")
    watch(w, slow={"tare": 5.0, "postage": 5.1, "till": 5.3, "shopfront": 5.2}, errors={"tare": 0.5, "postage": 0.5, "till": 0.4})


@incident("campsites", "all", "traffic.spike workload.cpu.saturated workload.replicas.too-few", "Deployment/camper-sim Deployment/portal", "scale-deployment rollback-deployment")
def fifty_times_the_campers(w: World) -> None:
    w.rollout("camper-sim", told("LOCUST_USERS", "2000"), whole=True)
    w.changed(w.work("camper-sim"), "environment", '-  value: "40"\n+  value: "2000"')
    w.say("portal", framed(w, "portal", "http: Accept error: accept tcp [::]:5000: accept4: too many open files; retrying in 5ms"), framed(w, "portal", passed(w, "portal", "finder", "DeadlineExceeded", "context deadline exceeded").replace('"', "'")))
    w.alert("RequestRateHigh", service="portal", note="portal gets 580 requests a second, 12 an hour ago")
    busy = dict.fromkeys(("portal", "finder", "tariffs", "map-index"), 580.0)
    watch(w, load=busy, slow={"portal": 7.0, "finder": 4.0, "tariffs": 2.0}, cpu={"portal": 0.5, "finder": 0.49}, errors={"portal": 0.2}, throttled={})


@incident("campsites", "both", "workload.errors.regressed-after-change change.deploy.correlated workload.crash.after-change", "Deployment/finder", "rollback-deployment pause-rollout")
def finder_release_that_trips(w: World) -> None:
    for pod in w.rollout("finder", lambda c, _: c.update(image="ghcr.io/underacanvas/finder:1.10.0"), whole=True):
        w.event(pod, "Pulled", 'Successfully pulled image "ghcr.io/underacanvas/finder:1.10.0" in 2.2s', 1, 835, 835, kind="Normal")
    w.say("finder", framed(w, "finder", "panic recovered: runtime error: invalid memory address or nil pointer dereference [finder/rank.go:118]"), times=9)
    spread(w, ["finder"], "Internal", "panic recovered: runtime error: invalid memory address", 1)
    w.changed(w.work("finder"), "image 1.9.2 -> 1.10.0", "-image: ghcr.io/underacanvas/finder:1.9.2\n+image: ghcr.io/underacanvas/finder:1.10.0")
    w.alert("ServiceErrorRateHigh", service="finder", ago=700)
    watch(w, errors={"finder": 0.45, "portal": 0.3})


@incident("teashop", "all", "workload.latency.regressed-after-change change.deploy.correlated", "Deployment/alike", "rollback-deployment pause-rollout")
def alike_release_that_asks_for_each_leaf(w: World) -> None:
    for pod in w.rollout("alike", lambda c, _: c.update(image="registry.leafandlid.example.com/shop/alike:2.2.0"), whole=True):
        w.event(pod, "Pulled", 'Successfully pulled image "registry.leafandlid.example.com/shop/alike:2.2.0" in 2.2s', 1, 835, 835, kind="Normal")
    w.say("alike", f"{stamp(50)} WARNING [alike.server] ListRecommendations took 4120 ms: 212 calls to range.GetProduct")
    w.changed(w.work("alike"), "image 2.1.4 -> 2.2.0", "-image: …/alike:2.1.4\n+image: …/alike:2.2.0")
    w.alert("ServiceLatencyHigh", service="alike", ago=700, note="99th percentile of alike is 4.2 s since 09:27")
    watch(w, slow={"alike": 4.2, "shopfront": 4.3}, load={"range": 90.0})


@incident("teashop", "plain", "workload.crash.application-error", "Deployment/ledger")
def ledger_chokes_on_one_message(w: World) -> None:
    crashing(w, "ledger", [f"info: Ledger.Consumer[0] {stamp(72)} Connecting to Kafka: bus:9092", "Unhandled exception. System.FormatException: The input string 'NaN' was not in a correct format.", "   at System.Decimal.Parse(String s)", "   at Ledger.Consumer.ProcessMessage(Message`2 message) in /src/Consumer.cs:line 61", "   at Ledger.Consumer.StartListening() in /src/Consumer.cs:line 40"], 134)


@incident("campsites", "plain", "workload.dependency.slow database database.locks.contended", "Deployment/mongo-stays")
def stays_store_reads_everything_each_time(w: World) -> None:
    w.say("mongo-stays", '{"t":{"$date":"' + stamp(50) + '"},"s":"I","c":"COMMAND","id":51803,"ctx":"conn88","msg":"Slow query","attr":{"type":"command","ns":"stays.bookings","command":{"find":"bookings","filter":{"guest":"g-1"}},"planSummary":"COLLSCAN","keysExamined":0,"docsExamined":4120331,"nreturned":2,"durationMillis":9120}}')
    w.say("stays", framed(w, "stays", "com.mongodb.MongoSocketReadTimeoutException: Timeout while receiving message; Caused by: java.net.SocketTimeoutException: Read timed out"))
    spread(w, ["stays", "wallet"], "DeadlineExceeded", "deadline exceeded while reading bookings", 1)
