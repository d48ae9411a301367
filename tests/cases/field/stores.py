"""Databases, caches and queues: who may, what they are told, what is full, who stopped reading."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.library import incident
from tests.cases.field.rolled import crashing
from tests.cases.field.voices import felt, framed, passed, spread, watch
from tests.cases.wild.objects import managed, stamp
from tests.cases.wild.world import World

PG = stamp(60).replace("T", " ").replace("Z", ".204 UTC")


def mongo(level: str, component: str, number: int, text: str, attr: str) -> str:
    return f'{{"t":{{"$date":"{stamp(50)}"}},"s":"{level}","c":"{component}","id":{number},"ctx":"conn381","msg":"{text}","attr":{{{attr}}}}}'


@incident("campsites", "both", "workload.database.credentials-invalid", "Deployment/mongo-tariffs Deployment/tariffs")
def tariffs_user_was_dropped(w: World) -> None:
    w.say("mongo-tariffs", mongo("I", "ACCESS", 5286307, "Failed to authenticate", '"client":"10.42.0.31:40112","mechanism":"SCRAM-SHA-256","user":"tariffs","db":"tariffs","error":"UserNotFound: Could not find user \\"tariffs\\" for db \\"tariffs\\"","result":11'))
    cause = 'connection() error occurred during connection handshake: auth error: sasl conversation error: unable to authenticate using mechanism \\"SCRAM-SHA-256\\": (AuthenticationFailed) Authentication failed.'
    w.say("tariffs", framed(w, "tariffs", cause))
    spread(w, ["tariffs"], "Unknown", "connection() error occurred during connection handshake: auth error", 2)
    w.alert("ServiceErrorRateHigh", service="portal", note="portal answers 61% of requests with an error")
    watch(w, errors={"tariffs": 0.9, "finder": 0.9, "portal": 0.61})


@incident("campsites", "both", "workload.database.credentials-invalid rbac.permission.revoked", "Deployment/mongo-map Deployment/map-index")
def map_role_was_revoked(w: World) -> None:
    w.say("mongo-map", mongo("I", "ACCESS", 20436, "Checking authorization failed", '"error":{"code":13,"codeName":"Unauthorized","errmsg":"not authorized on geo to execute command { find: \\"points\\", filter: {} }"}'))
    w.say("map-index", framed(w, "map-index", '(Unauthorized) not authorized on geo to execute command { find: \\"points\\", lsid: { id: UUID(\\"7a1f\\") }, $db: \\"geo\\" }'))
    w.say("suggest", framed(w, "suggest", "pymongo.errors.OperationFailure: not authorized on geo to execute command { find: 'points', filter: {} }, full error: {'ok': 0.0, 'errmsg': 'not authorized on geo to execute command', 'code': 13, 'codeName': 'Unauthorized'}"))
    spread(w, ["map-index"], "Unknown", "(Unauthorized) not authorized on geo to execute command", 2)
    w.alert("ServiceErrorRateHigh", service="portal", note="portal answers 70% of requests with an error")
    watch(w, errors={"map-index": 1.0, "finder": 1.0, "suggest": 0.8, "portal": 0.7})


@incident("teashop", "all", "workload.database.name-wrong workload.database database", "StatefulSet/pg-shop Deployment/range")
def shop_database_was_never_initialised(w: World) -> None:
    pod = w.pods("pg-shop")[0]
    w.remove(pod)
    pod = w.pod(w.work("pg-shop"), 0, 1500)
    w.log(pod, "The files belonging to this database system will be owned by user \"postgres\".", "initdb: warning: enabling \"trust\" authentication for local connections", "PostgreSQL init process complete; ready for start up.", f"{PG} [1] LOG:  database system is ready to accept connections")
    w.log(pod, *[f'{PG} [88{n}] FATAL:  database "shop" does not exist' for n in range(9)])
    w.patterns["pg-shop"] = [(140, f'{PG} [881] FATAL:  database "shop" does not exist')]
    w.say("range", framed(w, "range", 'failed to connect to `user=shop database=shop`: 10.42.1.29:5432 (pg-shop): server error: FATAL: database \\"shop\\" does not exist (SQLSTATE 3D000)'))
    w.say("ledger", framed(w, "ledger", 'Npgsql.PostgresException (0x80004005): 3D000: database "shop" does not exist'))
    spread(w, ["range"], "Internal", "database does not exist (SQLSTATE 3D000)", 2)
    w.alert("ServiceErrorRateHigh", service="shopfront")
    watch(w, errors={"range": 1.0, "shopfront": 0.8, "till": 0.7})


@incident("teashop", "both", "workload.database.credentials-invalid", "StatefulSet/pg-shop Deployment/range Secret/range-credentials")
def shop_password_was_changed_in_the_database_only(w: World) -> None:
    pod = w.pods("pg-shop")[0]
    w.log(pod, f"{stamp(840)} [412] LOG:  statement: ALTER ROLE shop WITH PASSWORD '********';")
    w.say("pg-shop", f'{PG} [4471] FATAL:  password authentication failed for user "shop"', f'{PG} [4471] DETAIL:  Connection matched file "/var/lib/postgresql/data/pg_hba.conf" line 128: "host all all all scram-sha-256"')
    w.say("range", framed(w, "range", 'failed to connect to `user=shop database=shop`: 10.42.1.29:5432 (pg-shop): failed SASL auth: FATAL: password authentication failed for user \\"shop\\" (SQLSTATE 28P01)'))
    spread(w, ["range"], "Internal", "failed SASL auth (SQLSTATE 28P01)", 2)
    w.alert("ServiceErrorRateHigh", service="edge", note="edge answers 66% of requests with 500")
    watch(w, errors={"range": 1.0, "shopfront": 0.7, "till": 0.7, "edge": 0.66})


@incident("campsites", "all", "workload.secret.rotated-not-reloaded workload.database.credentials-invalid", "Deployment/guests Secret/guests-credentials", "restart-deployment")
def guests_hold_the_password_of_before_the_rotation(w: World) -> None:
    secret = w.get("Secret", "guests-credentials")
    secret["metadata"]["managedFields"].append(managed("external-secrets", 960, "v1", {"f:data": {"f:password": {}}}))
    w.changed(secret, "password rotated; mongo-guests was given the new one in the same run", ago=960, who="system:serviceaccount:external-secrets:external-secrets")
    w.say("mongo-guests", mongo("I", "ACCESS", 5286307, "Failed to authenticate", '"client":"10.42.0.44:51220","mechanism":"SCRAM-SHA-256","user":"guests","db":"admin","error":"AuthenticationFailed: SCRAM authentication failed, storedKey mismatch","result":18'))
    w.say("guests", framed(w, "guests", "pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'errmsg': 'Authentication failed.', 'code': 18, 'codeName': 'AuthenticationFailed'}"))
    spread(w, ["guests"], "Internal", "Authentication failed.", 1)
    watch(w, errors={"guests": 0.9, "portal": 0.3})


@incident("teashop", "both", "database.connections.exhausted", "StatefulSet/pg-shop")
def shop_database_has_no_connection_left(w: World) -> None:
    w.say("pg-shop", f"{PG} [9120] FATAL:  sorry, too many clients already", f"{PG} [9121] FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute")
    w.say("range", framed(w, "range", "failed to connect to `user=shop database=shop`: 10.42.1.29:5432 (pg-shop): server error: FATAL: sorry, too many clients already (SQLSTATE 53300)"))
    w.say("ledger", framed(w, "ledger", "Npgsql.PostgresException (0x80004005): 53300: sorry, too many clients already"))
    spread(w, ["range"], "Internal", "too many clients already (SQLSTATE 53300)", 2)
    w.metric("pg_connections", 'sum by (instance) (pg_stat_activity_count{namespace="leafandlid"})', ({"namespace": w.ns, "pod": "pg-shop-0"}, [22.0] * 14 + [40.0, 61.0, 80.0, 96.0] + [100.0] * 12))
    w.alert("PostgresqlTooManyConnections", severity="critical", pod="pg-shop-0", note="100 of 100 connections are in use")
    watch(w, errors={"range": 0.6, "shopfront": 0.4, "till": 0.4})


@incident("teashop", "both", "database.storage.full storage.volume.full workload.volume.full", "StatefulSet/pg-shop PersistentVolumeClaim/data-pg-shop-0")
def shop_database_filled_its_disk(w: World) -> None:
    crashing(w, "pg-shop", [f'{PG} [29] PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device', f"{PG} [1] LOG:  startup process (PID 29) was terminated by signal 6: Aborted", f"{PG} [1] LOG:  aborting startup due to startup process failure"], whole=True)
    w.alert("KubePersistentVolumeFillingUp", severity="critical", persistentvolumeclaim="data-pg-shop-0", note="The PersistentVolume claimed by data-pg-shop-0 is only 0% free")
    w.metric("volume_free", 'kubelet_volume_stats_available_bytes{namespace="leafandlid"} / kubelet_volume_stats_capacity_bytes', ({"namespace": w.ns, "persistentvolumeclaim": "data-pg-shop-0"}, [max(0.0, 0.09 - i * 0.005) for i in range(31)]))
    felt(w, "pg-shop")
    watch(w, errors={"range": 1.0, "shopfront": 0.8, "till": 0.8})


@incident("teashop", "all", "database.locks.contended", "StatefulSet/pg-shop")
def shop_tables_wait_for_a_lock(w: World) -> None:
    w.say("pg-shop", f"{PG} [4127] LOG:  process 4127 still waiting for AccessShareLock on relation 16412 of database 16384 after 1000.118 ms", f"{PG} [4127] DETAIL:  Process holding the lock: 3991. Wait queue: 4127, 4130, 4131, 4140.", f"{PG} [4131] ERROR:  canceling statement due to lock timeout")
    w.say("range", framed(w, "range", "ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)"))
    spread(w, ["range"], "DeadlineExceeded", "context deadline exceeded", 2)
    w.alert("ServiceLatencyHigh", service="range")
    watch(w, slow={"range": 6.0, "shopfront": 6.1, "till": 6.2}, errors={"range": 0.4, "shopfront": 0.3})


@incident("campsites", "all", "queue.consumer.stopped queue.backlog.growing", "Deployment/letters StatefulSet/courier-mq", "restart-deployment evict-pod")
def letters_stopped_reading(w: World) -> None:
    pod = w.pods("letters")[0]
    w.log(pod, f"{stamp(2400)} WARNING [pika.channel] Received remote Basic.Cancel from broker; consumer ctag1.4d1 on queue confirmations was cancelled", f"{stamp(2400)} INFO [letters.worker] consumer loop ended, waiting for shutdown")
    w.metric("queue_ready", 'rabbitmq_queue_messages_ready{namespace="underacanvas"}', ({"namespace": w.ns, "queue": "confirmations"}, [3.0 + 310 * i for i in range(31)]), ({"namespace": w.ns, "queue": "season"}, [2.0] * 31))
    w.metric("queue_consumers", 'rabbitmq_queue_consumers{namespace="underacanvas"}', ({"namespace": w.ns, "queue": "confirmations"}, [0.0] * 31), ({"namespace": w.ns, "queue": "season"}, [1.0] * 31))
    w.alert("RabbitmqQueueWithoutConsumer", queue="confirmations", service="courier-mq", note="Queue confirmations has 9303 messages and no consumer")
    watch(w)


@incident("campsites", "plain", "storage.volume.full workload.volume.full database.storage.full queue.backlog.growing", "StatefulSet/courier-mq PersistentVolumeClaim/data-courier-mq-0")
def courier_blocks_who_sends(w: World) -> None:
    w.say("courier-mq", f"{stamp(700)} [warning] <0.412.0> disk resource limit alarm set on node 'rabbit@courier-mq-0'.", "**********************************************************", "*** Publishers will be blocked until this alarm clears ***", f"{stamp(690)} [info] <0.410.0> Free disk space is insufficient. Free bytes: 12288. Limit: 50000000", times=1)
    w.say("stays", framed(w, "stays", "org.springframework.amqp.AmqpTimeoutException: java.util.concurrent.TimeoutException; connection to courier-mq:5672 is blocked by broker: low on disk"))
    spread(w, ["stays"], "DeadlineExceeded", "deadline exceeded while publishing confirmation", 1)


@incident("campsites", "both", "workload.replicas.zero", "Deployment/memcached-tariffs", "restore-replicas scale-deployment")
def tariffs_cache_was_scaled_away(w: World) -> None:
    made = w.work("memcached-tariffs")
    for pod in w.pods("memcached-tariffs"):
        w.remove(pod)
    made["spec"]["replicas"] = 0
    w.edit(made, 1100, "kubectl", {"f:spec": {"f:replicas": {}}})
    w.event(made, "ScalingReplicaSet", f"Scaled down replica set {w.current('memcached-tariffs')['metadata']['name']} from 1 to 0", 1, 1100, 1100, "deployment-controller", "Normal")
    w.changed(made, "scaled from 1 to 0", "-replicas: 1\n+replicas: 0", 1100, "kim@underacanvas.example")
    felt(w, "memcached-tariffs", hops=1)
    w.say("finder", passed(w, "finder", "tariffs", "DeadlineExceeded", "context deadline exceeded"), times=3)
    w.alert("ServiceLatencyHigh", service="finder", note="99th percentile of finder is 3.1 s")
    watch(w, slow={"tariffs": 2.9, "finder": 3.1, "portal": 3.3}, load={"mongo-tariffs": 140.0})


@incident("teashop", "all", "database.mode.read-only workload.volume.full database.storage.full workload.volume.read-only", "Deployment/valkey-trolley")
def trolleys_cannot_be_written(w: World) -> None:
    w.say("valkey-trolley", "1:M 17 Mar 2026 09:40:12.113 # Can't save in background: fork: Cannot allocate memory", "1:C 17 Mar 2026 09:40:18.220 # Failed opening the temp RDB file temp-812.rdb (in server root dir /data) for saving: No space left on device")
    w.say("trolley", framed(w, "trolley", "StackExchange.Redis.RedisServerException: MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option)."))
    spread(w, ["trolley"], "Internal", "Can't access trolley storage. MISCONF", 2)
    w.alert("ServiceErrorRateHigh", service="till")
    watch(w, errors={"trolley": 0.8, "till": 0.8, "shopfront": 0.3})


@incident("teashop", "plain", "database.mode.read-only", "StatefulSet/pg-shop")
def shop_database_only_reads(w: World) -> None:
    w.say("ledger", framed(w, "ledger", "Npgsql.PostgresException (0x80004005): 25006: cannot execute INSERT in a read-only transaction"))
    w.say("pg-shop", f"{PG} [771] ERROR:  cannot execute INSERT in a read-only transaction", f"{PG} [771] STATEMENT:  INSERT INTO accounting.orders VALUES ($1, $2)")


# Put right after the first look: the cookie lay beside the volume, and who changed the user made the fault.
@incident("campsites", "both", "workload.volume.permission-denied workload.security.context-denied", "StatefulSet/courier-mq", "rollback-statefulset")
def courier_may_not_read_its_own_cookie(w: World) -> None:
    w.rollout("courier-mq", lambda _, s: s.update(securityContext={"runAsUser": 1001}), whole=True)
    crashing(w, "courier-mq", ["{error_logger,{{2026,3,17},{9,40,2}},\"Failed to create cookie file '/var/lib/data/.erlang.cookie': eacces\",[]}", "Error when reading /var/lib/data/.erlang.cookie: eacces", "Kernel pid terminated (application_controller) (\"{application_start_failure,kernel,...}\")"], whole=True)
    w.changed(w.work("courier-mq"), "security context", "+securityContext:\n+  runAsUser: 1001")
    felt(w, "courier-mq", hops=2)
    watch(w, errors={"stays": 0.4, "portal": 0.1})
