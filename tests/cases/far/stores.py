"""Faults of what others keep their data in."""

from tests.cases.builder import at, crashing, running
from tests.cases.far.ground import Estate
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor

PG = "org.postgresql.util.PSQLException"


def secret(c: Estate, name: str, workload: str, key: str, *, changed: float, variable: str) -> None:
    """A variable that comes from a Secret that was written again."""
    field = {
        "manager": "external-secrets",
        "operation": "Update",
        "time": at(changed),
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {f"f:{key}": {}}},
    }
    c.put(
        c.namespace,
        "secrets",
        {"metadata": {"name": name, "managedFields": [field]}, "type": "Opaque", "data": {key: ""}},
    )
    c.container(workload)["env"].append({"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}})


@case(
    stagedoor,
    "workload.database.credentials-invalid Deployment/order-desk",
    "workload.secret.rotated-not-reloaded Deployment/order-desk",
    "workload.secret.rotated-not-reloaded Secret/order-desk-db",
    cures="restart-deployment",
)
def pg_password_rotated(c: Estate) -> None:
    secret(c, "order-desk-db", "order-desk", "password", changed=2400, variable="SPRING_DATASOURCE_PASSWORD")
    c.fails(
        "order-desk",
        "WARN com.zaxxer.hikari.pool.PoolBase|HikariPool-1 - Pool is empty, failed to create/setup connection (28P01)",
        f'ERROR com.zaxxer.hikari.pool.HikariPool|HikariPool-1 - Exception during pool initialization. {PG}: FATAL: password authentication failed for user "orders_app"',
        "ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|HikariPool-1 - Connection is not available, request timed out after 30001ms (total=0, active=0, idle=0, waiting=11)",
        since=2300,
        times=6,
    )
    c.fails(
        "orders-pg",
        '[4412] FATAL:  password authentication failed for user "orders_app"',
        '[4412] DETAIL:  Connection matched file "/var/lib/postgresql/data/pg_hba.conf" line 99: "host all all all scram-sha-256"',
        since=2300,
        times=6,
    )
    c.fails(
        "storefront",
        "ERROR order failed|AxiosError: Request failed with status code 500 (http://order-desk:8080/orders)",
        since=2200,
    )
    c.page("HighErrorRate", "5xx ratio of order-desk is 0.97", service="order-desk", ago=2100, severity="critical")


@case(stagedoor, "database.connections.exhausted StatefulSet/orders-pg")
def pg_slots_taken(c: Estate) -> None:
    text = f"{PG}: FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute"
    c.fails("order-desk", f"ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|{text}", since=1500, times=5)
    c.fails("accounts", f"WARN i.a.pool|Datasource '<default>': {text}", since=1400)
    c.fails(
        "pricing",
        'ERROR pricing.db|connection to server at "orders-pg" (<ip orders-pg>), port 5432 failed: FATAL:  sorry, too many clients already',
        since=1300,
    )
    c.fails(
        "orders-pg",
        "[0] FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "[0] FATAL:  sorry, too many clients already",
        since=1500,
        times=8,
    )
    c.metric(
        "pg_stat_activity",
        'sum by (datname, state) (pg_stat_activity_count{job="postgres-exporter"})',
        ({"datname": "orders", "state": "idle"}, [31, 44, 71, 90, 92]),
        ({"datname": "orders", "state": "active"}, [4, 5, 4, 5, 4]),
    )
    c.metric("pg_max", "pg_settings_max_connections", ({"server": "orders-pg:5432"}, [100, 100, 100, 100, 100]))
    c.page(
        "PostgresTooManyConnections",
        "orders-pg uses 97 of 100 connections",
        ago=1200,
        pod="orders-pg-0",
        severity="critical",
    )
    c.page("HTTP5xxRatio", "accounts returns 5xx", ago=900, deployment="accounts")


@case(
    stagedoor,
    "workload.errors.regressed-after-change Deployment/order-desk",
    "workload.latency.regressed-after-change Deployment/order-desk",
    "workload.rollout.bad-revision Deployment/order-desk",
    "workload.errors.saturation Deployment/order-desk",
    "workload.latency.saturation Deployment/order-desk",
    cures="rollback-deployment rotate-leaking-pods",
)
def hikari_leak(c: Estate) -> None:
    c.released("order-desk", 7300)
    c.container("order-desk")["image"] = "harbor.stagedoor.example/stagedoor/order-desk:5.0.0"
    c.fails(
        "order-desk",
        "WARN com.zaxxer.hikari.pool.ProxyLeakTask|Connection leak detection triggered for org.postgresql.jdbc.PgConnection@7b1ad on thread http-nio-8080-exec-4, stack trace follows",
        "ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|HikariPool-1 - Connection is not available, request timed out after 30000ms (total=10, active=10, idle=0, waiting=37)",
        since=5200,
        times=7,
        trace="java.lang.Exception: Apparent connection leak detected\n\tat d.s.orders.refund.RefundExporter.stream(RefundExporter.java:71)",
    )
    c.metric(
        "hikari",
        "hikaricp_connections_active",
        *(({"pod": c.pod_name("order-desk", n)}, [2, 5, 8, 10, 10, 10]) for n in range(3)),
    )
    c.metric("pgconn", "sum(pg_stat_activity_count)", ({"server": "orders-pg:5432"}, [31, 33, 36, 38, 38, 38]))
    c.page("LatencyP99", "order-desk p99 is 30 s", service="order-desk", ago=4200)


@case(
    stagedoor,
    "database.storage.full StatefulSet/orders-pg",
    "workload.volume.full StatefulSet/orders-pg",
    "storage.volume.full PersistentVolumeClaim/data-orders-pg-0",
)
def pg_disk_full_after_release(c: Estate) -> None:
    c.released("order-desk", 900)
    c.container("order-desk")["image"] = "harbor.stagedoor.example/stagedoor/order-desk:5.0.1"
    c.fails(
        "orders-pg",
        '[77] ERROR:  could not extend file "base/16384/24821": No space left on device',
        "[77] HINT:  Check free disk space.",
        '[28] LOG:  could not write to file "pg_wal/xlogtemp.28": No space left on device',
        since=1300,
        times=6,
    )
    c.fails(
        "order-desk",
        f'ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|{PG}: ERROR: could not extend file "base/16384/24821": No space left on device',
        since=880,
        times=5,
    )
    c.fails(
        "accounts",
        f'ERROR o.h.engine.jdbc.spi.SqlExceptionHelper|{PG}: ERROR: could not extend file "base/16390/2619": No space left on device',
        since=1200,
    )
    c.page("HighErrorRate", "order-desk errors", service="order-desk", ago=800, severity="critical")


@case(
    stagedoor,
    "database.storage.full StatefulSet/catalog-mongo",
    "workload.volume.full StatefulSet/catalog-mongo",
    "storage.volume.full PersistentVolumeClaim/data-catalog-mongo-0",
    "storage.volume.full PersistentVolumeClaim/data-catalog-mongo-1",
)
def mongo_no_primary(c: Estate) -> None:
    def state(index: int) -> dict:  # type: ignore[type-arg]

        return crashing(14, restarts=9, ran=40) if index < 2 else running(restarts=0, since=400_000)

    c.state("catalog-mongo", state)
    fatal = '{"s":"E","c":"WT","id":22435,"ctx":"thread1","msg":"WiredTiger error message","attr":{"error":28,"message":{"error_str":"No space left on device","error_code":28,"msg":"/data/db/journal/WiredTigerTmplog.0000000004: handle-write: pwrite: failed to write 128 bytes"}}}'
    for index in range(2):
        c.say("catalog-mongo", "ERROR", fatal, ago=70, index=index, previous=True)
        c.say(
            "catalog-mongo",
            "ERROR",
            '{"s":"F","c":"-","id":23089,"ctx":"thread1","msg":"Fatal assertion","attr":{"msgid":50853}}',
            ago=69,
            index=index,
            previous=True,
        )
        c.event(
            "Pod",
            f"catalog-mongo-{index}",
            "BackOff",
            f"Back-off restarting failed container catalog-mongo in pod catalog-mongo-{index}_stagedoor(0b1c)",
            path="spec.containers{catalog-mongo}",
            ago=40,
            count=44,
        )
    c.say(
        "catalog-mongo",
        "WARN",
        '{"s":"I","c":"ELECTION","id":4615655,"ctx":"ReplCoord-3","msg":"Not starting an election, since we are not electable","attr":{"reason":"Not standing for election because I cannot see a majority (mask 0x1)"}}',
        ago=200,
        index=2,
    )
    c.fails(
        "search",
        "ERROR query failed|server selection error: server selection timeout, current topology: { Type: ReplicaSetNoPrimary, Servers: [{ Addr: catalog-mongo-2.catalog-mongo:27017, Type: RSSecondary }] }",
        since=1500,
        times=6,
    )
    c.fails(
        "seatmap",
        "ERROR mongo error|Server selection timeout: No available servers. Topology: { Type: ReplicaSetNoPrimary }",
        since=1500,
    )
    c.page(
        "KubePodCrashLooping", "catalog-mongo-0 restarts", pod="catalog-mongo-0", container="catalog-mongo", ago=1200
    )


@case(haulwave, "database.mode.read-only StatefulSet/reports-mysql")
def mysql_read_only(c: Estate) -> None:
    said = "The MySQL server is running with the --super-read-only option so it cannot execute this statement"
    c.fails("invoicing", f"ERROR [b81c] ActiveRecord::StatementInvalid (Mysql2::Error: {said}):", since=2000, times=6)
    c.fails(
        "reports-worker",
        f'ERROR Task reports.tasks.monthly[17d0] raised unexpected: OperationalError(1290, "{said}")',
        since=1900,
    )
    c.fails(
        "driver-id",
        f"ERROR Microsoft.EntityFrameworkCore.Database.Command|Failed executing DbCommand (12ms)\nMySqlConnector.MySqlException (0x80004005): {said}",
        since=1900,
    )
    c.page("InvoicingErrors", "invoicing 5xx ratio 0.4", service="invoicing", ago=1700)


@case(haulwave, "database.locks.contended StatefulSet/reports-mysql")
def mysql_lock_waits(c: Estate) -> None:
    c.fails(
        "invoicing",
        "ERROR [4fd0] ActiveRecord::LockWaitTimeout (Mysql2::Error::TimeoutError: Lock wait timeout exceeded; try restarting transaction):",
        since=1500,
        times=7,
    )
    c.fails(
        "reports-worker",
        "ERROR Task reports.tasks.close_month[0aa1] raised unexpected: OperationalError(1205, 'Lock wait timeout exceeded; try restarting transaction')",
        "WARN Retry in 60s: OperationalError(1213, 'Deadlock found when trying to get lock; try restarting transaction')",
        since=1500,
        times=5,
    )
    c.metric(
        "row_locks",
        "mysql_global_status_innodb_row_lock_current_waits",
        ({"pod": "reports-mysql-0"}, [0, 0, 14, 31, 44, 52]),
    )
    c.page("InvoicingLatency", "invoicing p95 51 s", service="invoicing", ago=1200)


@case(haulwave, "database.replication.lagging StatefulSet/reports-mysql")
def mysql_replica_behind(c: Estate) -> None:
    c.metric(
        "lag",
        "mysql_slave_status_seconds_behind_master",
        ({"pod": "reports-mysql-1", "channel_name": ""}, [2, 3, 420, 1801, 3204, 4210]),
        step=600,
    )
    c.say(
        "reports-mysql",
        "WARN",
        "88 [Warning] [MY-010584] [Repl] Replica SQL for channel '': Worker 1 failed executing transaction; could not keep up",
        ago=3300,
        index=1,
    )
    c.fails("reports", "WARN reports.freshness|read replica is 4102 s behind, report may be stale", since=2800)
    c.page("MySQLReplicationLag", "reports-mysql-1 is 4210 s behind its source", pod="reports-mysql-1", ago=2900)


@case(haulwave, "database.connections.exhausted StatefulSet/reports-mysql")
def mysql_too_many(c: Estate) -> None:
    c.get("deployments", "reports-worker")["spec"]["replicas"] = 14
    c.event(
        "Deployment",
        "reports-worker",
        "ScalingReplicaSet",
        f"Scaled up replica set {c.pod_name('reports-worker')[:-6]} to 14 from 2",
        ago=1900,
        type_="Normal",
        count=1,
    )
    c.fails(
        "reports",
        "ERROR django.request|Internal Server Error: /reports/fuel\ndjango.db.utils.OperationalError: (1040, 'Too many connections')",
        "ERROR gunicorn.error|WORKER TIMEOUT (pid:31)",
        since=1500,
        times=5,
    )
    c.fails("invoicing", "ERROR [11aa] ActiveRecord::ConnectionNotEstablished (Too many connections):", since=1500)
    c.fails(
        "driver-id",
        "ERROR Haulwave.DriverId.TokenEndpoint|MySqlConnector.MySqlException (0x80004005): Too many connections",
        since=1400,
    )
    c.page("DriverLoginFailing", "token endpoint 5xx", service="driver-id", ago=1100, severity="critical")
