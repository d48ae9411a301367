"""Faults of brokers, caches and wide stores."""

from tests.cases.far.ground import Estate
from tests.cases.far.stores import secret
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor


@case(
    stagedoor,
    "database.storage.full StatefulSet/bus",
    "workload.volume.full StatefulSet/bus",
    "storage.volume.full PersistentVolumeClaim/data-bus-0",
    "queue.backlog.growing StatefulSet/bus",
)
def rabbit_disk_alarm(c: Estate) -> None:
    c.fails(
        "bus",
        "[info] <0.498.0> Free disk space is insufficient. Free bytes: 41992192. Limit: 50000000",
        "[warning] <0.494.0> disk resource limit alarm set on node 'rabbit@bus-0'.\n\n**********************************************************\n*** Publishers will be blocked until this alarm clears ***\n**********************************************************",
        since=1700,
        times=2,
    )
    c.fails(
        "order-desk",
        "WARN o.s.a.r.c.CachingConnectionFactory|Connection blocked: low on disk",
        "ERROR d.s.orders.Outbox|publish order.confirmed not confirmed after 10000 ms",
        since=1600,
        times=5,
    )
    c.metric(
        "pvc",
        "kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes",
        ({"persistentvolumeclaim": "data-bus-0"}, [0.04, 0.02, 0.01, 0.001, 0.001]),
        ({"persistentvolumeclaim": "data-orders-pg-0"}, [0.61, 0.61, 0.6, 0.6, 0.6]),
    )
    c.page("OutboxGrowing", "order-desk outbox has 4412 rows", service="order-desk", ago=1200)


@case(
    stagedoor,
    "queue.consumer.stopped Deployment/ticket-mint",
    "queue.backlog.growing Deployment/ticket-mint",
    cures="restart-deployment",
)
def mint_lost_channel(c: Estate) -> None:
    c.styles["ticket-mint"] = c.styles["ticket-mint"]
    for index in range(2):
        c.say(
            "ticket-mint",
            "ERROR",
            'AmqpConnection|Channel closed: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. This timeout value can be configured, see consumers doc guide to learn more"',
            ago=3500 - index,
            index=index,
        )
    c.say(
        "bus",
        "ERROR",
        "[error] <0.1021.0> Consumer 'amq.ctag-8Vq' on channel 1 and queue 'tickets.mint' in vhost '/' has timed out waiting for a consumer acknowledgement of a delivery with delivery tag = 41. Timeout used: 1800000 ms.",
        ago=3500,
    )
    c.metric(
        "ready",
        'rabbitmq_queue_messages_ready{queue="tickets.mint"}',
        ({"queue": "tickets.mint"}, [3, 2, 811, 1902, 3011, 4117]),
        step=900,
    )
    c.metric(
        "consumers",
        'rabbitmq_queue_consumers{queue="tickets.mint"}',
        ({"queue": "tickets.mint"}, [2, 2, 0, 0, 0, 0]),
        step=900,
    )
    c.page("QueueBacklog", "tickets.mint has 4117 messages ready", queue="tickets.mint", ago=2600, severity="critical")


@case(
    haulwave,
    "workload.secret.rotated-not-reloaded Deployment/decoder",
    "workload.secret.rotated-not-reloaded Secret/decoder-kafka",
    "workload.database.credentials-invalid Deployment/decoder",
    cures="restart-deployment",
)
def kafka_scram_rotated(c: Estate) -> None:
    secret(c, "decoder-kafka", "decoder", "sasl-password", changed=3600, variable="KAFKA_SASL_PASSWORD")
    c.fails(
        "decoder",
        "ERROR librdkafka: Global error: Authentication (Local: Authentication failure)|sasl_plaintext://kafka-1.kafka:9092/1: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 312ms in state AUTH_REQ)",
        since=3500,
        times=8,
    )
    c.say(
        "kafka",
        "WARN",
        "[2026-03-01 11:01:12,001] INFO [SocketServer listenerType=BROKER, nodeId=1] Failed authentication with /10.244.2.31 (channelId=10.244.1.9:9092-10.244.2.31:40418-77) (Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512) (org.apache.kafka.common.network.Selector)",
        ago=3400,
    )
    c.metric(
        "lag",
        "sum by (consumergroup) (kafka_consumergroup_lag)",
        ({"consumergroup": "decoder"}, [900, 52_000, 118_000, 190_000]),
        step=900,
    )
    c.page("KafkaConsumerLag", "decoder is 190000 messages behind", consumergroup="decoder", ago=2500)


@case(
    haulwave,
    "queue.backlog.growing Deployment/ingest",
    "queue.consumer.stopped Deployment/ingest",
    "workload.errors.regressed-after-change Deployment/ingest",
    "workload.rollout.bad-revision Deployment/ingest",
    "workload.latency.regressed-after-change Deployment/ingest",
    "workload.env.invalid Deployment/ingest",
    cures="rollback-deployment",
)
def poll_interval_exceeded(c: Estate) -> None:
    c.container("ingest")["env"].append({"name": "SPRING_KAFKA_CONSUMER_MAX_POLL_RECORDS", "value": "500"})
    c.released("ingest", 5400)
    c.container("ingest")["env"][-1] = {"name": "SPRING_KAFKA_CONSUMER_MAX_POLL_RECORDS", "value": "50000"}
    c.fails(
        "ingest",
        "WARN o.a.k.c.c.internals.ConsumerCoordinator|[Consumer clientId=ingest-1, groupId=ingest] consumer poll timeout has expired. This means the time between subsequent calls to poll() was longer than the configured max.poll.interval.ms, which typically implies that the poll loop is spending too much time processing messages.",
        "INFO o.a.k.c.c.internals.ConsumerCoordinator|[Consumer clientId=ingest-1, groupId=ingest] Member ingest-1-b5 sending LeaveGroup request to coordinator kafka-1:9092 due to consumer poll timeout has expired.",
        "ERROR o.s.kafka.listener.KafkaMessageListenerContainer|Commit cannot be completed since the group has already rebalanced and assigned the partitions to another member.",
        since=5000,
        times=7,
    )
    c.metric(
        "lag",
        "sum by (consumergroup) (kafka_consumergroup_lag)",
        ({"consumergroup": "ingest"}, [1200, 30_000, 64_000, 99_000, 140_000]),
        step=1200,
    )
    c.page("KafkaConsumerLag", "ingest is 140000 messages behind", consumergroup="ingest", ago=3500)


@case(stagedoor, "database.mode.read-only StatefulSet/hold-redis")
def redis_became_replica(c: Estate) -> None:
    c.fails(
        "seat-hold",
        "ERROR d.s.hold.HoldService|Cannot hold seats: io.lettuce.core.RedisReadOnlyException: READONLY You can't write against a read only replica.",
        since=700,
        times=6,
    )
    c.fails("seatmap", "WARN cache write failed|READONLY: You can't write against a read only replica.", since=700)
    c.fails(
        "notify",
        "ERROR consumer: Cannot connect to redis://hold-redis:6379/2: You can't write against a read only replica.. Trying again in 32.00 seconds...",
        since=650,
    )
    c.say(
        "hold-redis",
        "INFO",
        "1:S * Before turning into a replica, using my own master parameters to synthesize a cached master",
        ago=760,
    )
    c.say(
        "hold-redis",
        "INFO",
        "1:S * REPLICAOF 10.40.9.12:6379 enabled (user request from 'id=77 addr=10.244.2.61:55210 laddr=10.244.1.8:6379')",
        ago=759,
    )
    c.page("SeatHoldErrors", "holds fail", service="seat-hold", ago=500, severity="critical")


@case(
    stagedoor,
    "database.storage.full StatefulSet/hold-redis",
    "workload.memory.limit-too-low StatefulSet/hold-redis",
    "workload.config.value-invalid StatefulSet/hold-redis",
    "database.storage.full ConfigMap/hold-redis",
)
def redis_maxmemory(c: Estate) -> None:
    c.container("hold-redis")["args"] = ["--maxmemory", "192mb", "--maxmemory-policy", "noeviction"]
    said = "OOM command not allowed when used memory > 'maxmemory'."
    c.fails(
        "seat-hold",
        f"ERROR d.s.hold.HoldService|Hold failed: io.lettuce.core.RedisCommandExecutionException: {said}",
        since=1900,
        times=8,
    )
    c.fails("seatmap", f"ERROR cache write failed|OOM: {said}", since=1800)
    c.metric(
        "redis_memory",
        "redis_memory_used_bytes / redis_memory_max_bytes",
        ({"pod": "hold-redis-0"}, [0.71, 0.82, 0.93, 1.0, 1.0, 1.0]),
    )
    c.page("RedisOutOfMemory", "hold-redis used 100% of maxmemory", ago=1500, pod="hold-redis-0")


@case(stagedoor, "database.connections.exhausted StatefulSet/hold-redis")
def redis_max_clients(c: Estate) -> None:
    c.fails(
        "seat-hold",
        "ERROR d.s.hold.HoldService|Redis unavailable: io.lettuce.core.RedisConnectionException: ERR max number of clients reached",
        since=1100,
        times=6,
    )
    c.fails(
        "notify",
        "ERROR consumer: Cannot connect to redis://hold-redis:6379/2: max number of clients reached. Trying again in 8.00 seconds... (4/100)",
        since=1000,
    )
    c.metric("clients", "redis_connected_clients", ({"pod": "hold-redis-0"}, [118, 240, 511, 1000, 1000]))
    c.metric("max", "redis_config_maxclients", ({"pod": "hold-redis-0"}, [1000, 1000, 1000, 1000, 1000]))
    c.page("SeatHoldErrors", "holds fail", service="seat-hold", ago=800)


@case(
    haulwave,
    "database.storage.full StatefulSet/clickhouse",
    "workload.volume.full StatefulSet/clickhouse",
    "storage.volume.full PersistentVolumeClaim/data-clickhouse-0",
)
def clickhouse_no_space(c: Estate) -> None:
    c.fails(
        "clickhouse",
        "[ 511 ] {0e1f} <Error> executeQuery: Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE) (version 24.8.12.28) (from 10.244.3.9:51020) (in query: INSERT INTO frames FORMAT RowBinary)",
        since=2400,
        times=6,
    )
    c.fails(
        "ingest",
        "ERROR i.h.ingest.Sink|insert failed, will retry: com.clickhouse.client.ClickHouseException: Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)",
        since=2300,
        times=6,
    )
    c.metric(
        "lag",
        "sum by (consumergroup) (kafka_consumergroup_lag)",
        ({"consumergroup": "ingest"}, [1200, 40_000, 91_000, 160_000, 220_000]),
    )
    c.page("KafkaConsumerLag", "ingest is 220000 messages behind", consumergroup="ingest", ago=1800)
