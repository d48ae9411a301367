"""Incidents that were written after the rules had been mended, to see what is found in them at first sight."""

from tests.cases.builder import crashing, ended, running
from tests.cases.far.ground import Estate
from tests.cases.far.stores import PG
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor


@case(haulwave, "database.storage.full StatefulSet/reports-mysql")
def later_mysql_table_full(c: Estate) -> None:
    c.fails(
        "invoicing",
        "ERROR [91aa] ActiveRecord::StatementInvalid (Mysql2::Error: The table 'invoice_lines' is full):",
        since=1900,
        times=7,
    )
    c.fails(
        "reports-worker",
        "ERROR Task reports.tasks.daily[0c] raised unexpected: OperationalError(1114, \"The table 'facts' is full\")",
        since=1800,
    )
    c.page("InvoicingErrors", "5xx ratio 0.5", service="invoicing", ago=1500)


# It has never been otherwise: no revision to go back to.
@case(haulwave, "workload.env.address-wrong Deployment/alerting")
def later_elixir_nxdomain(c: Estate) -> None:
    c.env("alerting", "MEMCACHED_HOST", "session-store")
    c.env("alerting", "MEMCACHED_PORT", "11211")
    c.fails("alerting", "ERROR tcp connect (session-store:11211): non-existing domain - :nxdomain", since=2500, times=9)
    c.page("AlertRulesNotEvaluated", "rules are late", deployment="alerting", ago=2000)


@case(
    stagedoor,
    "workload.database.credentials-invalid Deployment/ticket-mint",
    "workload.secret.rotated-not-reloaded Deployment/ticket-mint",
)
def later_amqp_refused(c: Estate) -> None:
    c.fails(
        "ticket-mint",
        'ERROR AmqpConnection|Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."',
        since=1500,
        times=8,
    )
    c.fails(
        "bus",
        "[error] <0.2210.0> Error on AMQP connection <0.2210.0> (10.244.2.9:40114 -> 10.244.1.30:5672, state: starting): PLAIN login refused: user 'mint' - invalid credentials",
        since=1500,
        times=8,
    )
    c.page("TicketsNotMinted", "none for 20 min", deployment="ticket-mint", ago=1200, severity="critical")


@case(stagedoor, "network-policy.ingress.blocked NetworkPolicy/seat-hold", cures="revert-network-policy")
def later_policy_forgets_a_caller(c: Estate) -> None:
    friend = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "storefront"}}}
    spec = {
        "podSelector": {"matchLabels": c.selects("seat-hold")},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [friend]}],
    }
    c.policy("seat-hold", spec, ago=2600)
    c.env("order-desk", "HOLD_BASE_URL", "http://seat-hold:8080")
    c.fails(
        "order-desk",
        'ERROR d.s.orders.HoldStep|I/O error on POST request for "http://seat-hold:8080/confirm": Connect to http://seat-hold:8080 [seat-hold/<ip seat-hold>] failed: Connect timed out',
        since=2500,
        times=8,
    )
    c.page("HighErrorRate", "order-desk 5xx", service="order-desk", ago=2000, severity="critical")


@case(
    haulwave,
    "workload.memory.leak Deployment/invoicing",
    "workload.memory.oom-killed Deployment/invoicing",
    cures="rotate-leaking-pods raise-memory-limit rollback-deployment",
)
def later_rails_grows(c: Estate) -> None:
    end = ended(137, "OOMKilled", ran=9000, ago=700)
    c.state("invoicing", lambda index: running(restarts=4, since=695, last=end))
    rss = [60e6, 90e6, 130e6, 170e6, 210e6, 255e6]
    c.metric(
        "rss",
        "container_memory_working_set_bytes",
        *(({"pod": c.pod_name("invoicing", n), "container": "invoicing"}, rss) for n in range(2)),
        step=1800,
    )
    c.page("KubePodRestarts", "invoicing restarts", pod=c.pod_name("invoicing", 0), ago=600)


@case(
    haulwave,
    "database.storage.full StatefulSet/kafka",
    "workload.volume.full StatefulSet/kafka",
    "storage.volume.full PersistentVolumeClaim/data-kafka-1",
)
def later_kafka_log_dir(c: Estate) -> None:
    c.state("kafka", lambda index: crashing(1, restarts=12, ran=20) if index == 1 else running())
    c.say(
        "kafka",
        "ERROR",
        "[2026-03-01 11:58:01,113] ERROR Error while writing to checkpoint file /var/lib/kafka/data/recovery-point-offset-checkpoint (org.apache.kafka.storage.internals.log.LogDirFailureChannel)\njava.io.IOException: No space left on device",
        index=1,
        previous=True,
    )
    c.say(
        "kafka",
        "ERROR",
        "[2026-03-01 11:58:02,001] ERROR Shutdown broker because all log dirs in /var/lib/kafka/data have failed (kafka.log.LogManager)",
        index=1,
        previous=True,
        ago=50,
    )
    c.fails(
        "ingest",
        "WARN o.a.k.clients.NetworkClient|[Consumer clientId=ingest-1] Connection to node 1 (kafka-1.kafka/10.244.3.9:9092) could not be established. Node may not be available.",
        since=1500,
        level="WARN",
    )
    c.fails(
        "device-gw",
        "ERROR produce failed|kafka server: Messages are rejected since there are fewer in-sync replicas than required",
        since=1500,
        times=6,
    )
    c.page("KafkaUnderReplicatedPartitions", "41 partitions", pod="kafka-0", ago=1200)


# Nothing in the cluster says what it was before: a person knows, or Git does.
@case(
    stagedoor,
    "workload.config.dependency-address-wrong ConfigMap/edge-conf",
    "workload.config.value-invalid ConfigMap/edge-conf",
    "workload.config.changed-and-broken ConfigMap/edge-conf",
)
def later_nginx_upstream(c: Estate) -> None:
    c.config(
        "edge-conf",
        {
            "default.conf": "server {\n  listen 8080;\n  location /api/search { proxy_pass http://serach:8081; }\n  location / { proxy_pass http://storefront:3000; }\n}\n"
        },
        changed=1500,
        by="kubectl-edit",
    )
    c.get("deployments", "edge")["spec"]["template"]["spec"]["volumes"] = [
        {"name": "conf", "configMap": {"name": "edge-conf"}}
    ]
    c.state("edge", crashing(1, restarts=9, ran=1))
    for n in range(2):
        c.say("edge", "INFO", "x", index=n, ago=4000)
        c.say(
            "edge",
            "ERROR",
            'nginx: [emerg] host not found in upstream "serach" in /etc/nginx/conf.d/default.conf:3',
            index=n,
            previous=True,
            container="edge",
        )
    c.page("KubePodCrashLooping", "edge", pod=c.pod_name("edge", 0), ago=900)


@case(
    stagedoor,
    "workload.database.credentials-invalid Deployment/search",
    "workload.database.credentials-invalid StatefulSet/catalog-mongo",
)
def later_mongo_auth(c: Estate) -> None:
    c.fails(
        "search",
        'ERROR query failed|connection() error occurred during connection handshake: auth error: sasl conversation error: unable to authenticate using mechanism "SCRAM-SHA-256": (AuthenticationFailed) Authentication failed.',
        since=2000,
        times=8,
    )
    c.page("SearchErrors", "5xx 1.0", service="search", ago=1500)


@case(stagedoor, "database.locks.contended StatefulSet/orders-pg")
def later_pg_lock_timeout(c: Estate) -> None:
    c.fails(
        "order-desk",
        f"ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|{PG}: ERROR: canceling statement due to lock timeout",
        since=1200,
        times=8,
    )
    c.fails(
        "orders-pg",
        "[551] ERROR:  canceling statement due to lock timeout",
        '[551] CONTEXT:  while updating tuple (412,7) in relation "seat_allocations"',
        "[77] LOG:  process 77 still waiting for ShareLock on transaction 88121 after 1000.102 ms",
        since=1200,
        times=6,
    )
    c.page("HighErrorRate", "order-desk 5xx", service="order-desk", ago=900, severity="critical")


@case(
    stagedoor,
    "certificate.name-mismatch Deployment/accounts",
    "certificate.name-mismatch Service/accounts",
    "workload.env.address-wrong Deployment/payments",
)
def later_dotnet_name(c: Estate) -> None:
    c.env("payments", "Accounts__BaseUrl", "https://accounts:8080")
    c.fails(
        "payments",
        "ERROR Stagedoor.Payments.AccountsClient|System.Net.Http.HttpRequestException: The SSL connection could not be established, see inner exception. (accounts:8080)\n ---> System.Security.Authentication.AuthenticationException: The remote certificate is invalid according to the validation procedure: RemoteCertificateNameMismatch",
        since=1500,
        times=8,
    )
    c.page("CaptureFailing", "captures fail", service="payments", ago=1200)


@case(stagedoor, "control-plane.coredns.down Deployment/coredns")
def later_name_service_gone(c: Estate) -> None:
    def gone() -> None:
        for pod in c.objects["kube-system", "pods"].values():
            if pod["metadata"]["name"].startswith("coredns"):
                pod["status"]["containerStatuses"][0].update(crashing(1, restarts=14, ran=1))
                pod["status"]["conditions"][0]["status"] = "False"
        c.get("deployments", "coredns", "kube-system")["status"].update(
            readyReplicas=0, availableReplicas=0, unavailableReplicas=2
        )
        subset = c.get("endpoints", "kube-dns", "kube-system")["subsets"][0]
        subset["notReadyAddresses"] = subset.pop("addresses", [])

    c.after = gone
    c.fails(
        "storefront",
        "ERROR search unavailable|TypeError: fetch failed; cause: Error: getaddrinfo EAI_AGAIN search",
        since=900,
        times=6,
    )
    c.fails(
        "search",
        "ERROR query failed|lookup catalog-mongo on 10.96.0.10:53: read udp 10.244.2.2:51022->10.96.0.10:53: read: connection refused",
        since=900,
        times=6,
    )
    c.page("HighErrorRate", "storefront 5xx", service="storefront", ago=700, severity="critical")


@case(haulwave, "none Namespace/haulwave")
def later_quiet_broker_moves(c: Estate) -> None:
    for n in range(3):
        c.say(
            "trips",
            "WARN",
            "o.a.k.clients.NetworkClient|[Consumer clientId=trips-1] Connection to node 2 (kafka-2.kafka/10.244.1.4:9092) could not be established. Node may not be available.",
            ago=3400,
            index=n,
        )
    c.say(
        "kafka",
        "INFO",
        "[2026-03-01 11:03:11,002] INFO [KafkaServer id=2] started (kafka.server.KafkaServer)",
        index=2,
        ago=3390,
    )
    c.fails("trips", "INFO i.h.trips.TripAssembler|Closed trip 88200 (41 km)", since=3200, times=8, level="INFO")
