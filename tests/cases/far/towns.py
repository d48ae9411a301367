"""The two applications as they run on a good day, and the noise that a good day makes."""

from tests.cases.far.ground import Estate
from tests.cases.far.noise import NODES, noise, stored

STAGE = "stagedoor"
HAUL = "haulwave"

__all__ = ["NODES", "haulwave", "stagedoor"]


def pg(user: str, name: str, host: str = "orders-pg") -> dict[str, str]:
    """What a Spring service is told of its database."""
    return {"SPRING_DATASOURCE_URL": f"jdbc:postgresql://{host}:5432/{name}", "SPRING_DATASOURCE_USERNAME": user}


def stagedoor() -> Estate:
    """Ticket sales: eighteen workloads, installed by Helm."""
    c = Estate(STAGE, NODES, helm=True)
    c.service_of(
        "edge",
        8080,
        "nginx",
        'INFO "GET /e/4411 HTTP/2.0" 200 18211\nINFO "GET /healthz HTTP/1.1" 200 2\nWARN an upstream response is buffered to a temporary file /var/cache/nginx/proxy_temp/2/01/0000000012 while reading upstream',
        calls="storefront search order-desk accounts",
        image="docker.io/nginxinc/nginx-unprivileged:1.27.4",
    )
    c.service_of(
        "storefront",
        3000,
        "pino",
        "INFO request completed\nINFO revalidated /e/4411 in 38ms\nWARN images.domains is deprecated in favor of images.remotePatterns",
        calls="search seatmap seat-hold order-desk pricing",
        env={
            "SEARCH_URL": "http://search:8081",
            "SEATMAP_URL": "http://seatmap:8090",
            "ORDERS_URL": "http://order-desk:8080",
            "HOLD_URL": "http://seat-hold:8080",
            "PRICING_URL": "http://pricing:8000",
        },
        replicas=3,
    )
    c.service_of(
        "search",
        8081,
        "slog",
        "INFO query served\nINFO index refreshed\nWARN slow query logged|took 512ms",
        calls="catalog-mongo",
        env={"MONGO_URI": "mongodb://catalog-mongo:27017/catalog"},
    )
    c.service_of(
        "seatmap",
        8090,
        "rust",
        "INFO served seat map|venue=212 took=14ms\nINFO cache warm\nWARN stale entry refreshed|venue=88",
        calls="catalog-mongo hold-redis",
        env={"REDIS_URL": "redis://hold-redis:6379/1", "MONGO_URI": "mongodb://catalog-mongo:27017/catalog"},
    )
    c.service_of(
        "seat-hold",
        8080,
        "spring",
        "INFO d.s.hold.HoldService|Held 2 seats for basket 9f21 (ttl=480s)\nWARN o.s.b.w.s.ServletWebServerFactoryCustomizer|Property 'server.max-http-header-size' is deprecated\nINFO d.s.hold.Sweeper|Released 14 expired holds",
        calls="hold-redis",
        env={"SPRING_DATA_REDIS_HOST": "hold-redis", "SPRING_DATA_REDIS_PORT": "6379"},
        replicas=3,
    )
    c.service_of(
        "order-desk",
        8080,
        "spring",
        "INFO d.s.orders.OrderController|Order 70233151 confirmed in 211 ms\nINFO com.zaxxer.hikari.HikariDataSource|HikariPool-1 - Start completed.\nWARN org.hibernate.orm.deprecation|HHH90000025: PostgreSQLDialect does not need to be specified explicitly",
        calls="orders-pg pricing payments seat-hold fraud bus",
        env={
            **pg("orders_app", "orders"),
            "PRICING_BASE_URL": "http://pricing:8000",
            "PAYMENTS_BASE_URL": "http://payments:8080",
            "FRAUD_TARGET": "fraud:50051",
            "SPRING_RABBITMQ_HOST": "bus",
        },
        replicas=3,
    )
    c.service_of(
        "payments",
        8080,
        "dotnet",
        "INFO Stagedoor.Payments.CaptureHandler|Captured 118.00 EUR for order 70233151\nINFO Microsoft.Hosting.Lifetime|Now listening on: http://[::]:8080\nWARN Microsoft.AspNetCore.DataProtection.KeyManagement.XmlKeyManager|No XML encryptor configured. Key {1f0c} may be persisted to storage in unencrypted form.",
        calls="",
        env={"Psp__BaseUrl": "https://api.paystream.example"},
    )
    c.service_of(
        "pricing",
        8000,
        "python",
        'INFO uvicorn.access|10.244.2.9:41822 - "POST /quote HTTP/1.1" 200\nINFO pricing.fx|rates refreshed: 31 pairs\nWARN urllib3.connectionpool|Retrying (Retry(total=2)) after connection broken by RemoteDisconnected: /latest',
        calls="orders-pg",
        env={"DATABASE_HOST": "orders-pg", "DATABASE_PORT": "5432"},
    )
    c.service_of(
        "ticket-mint",
        3001,
        "nest",
        "INFO TicketConsumer|minted 4 tickets for order 70233151\nINFO RabbitMQ|Successfully connected to bus:5672\nWARN TicketConsumer|redelivered message 5512, already minted: ack",
        calls="bus barcode",
        env={"AMQP_URL": "amqp://bus:5672", "BARCODE_ADDR": "barcode:9090"},
    )
    c.service_of("barcode", 9090, "zap", "INFO sealed|\nINFO grpc server listening|\nWARN slow seal|took 210ms")
    c.service_of(
        "notify",
        None,
        "celery",
        "INFO Task notify.mail.send[6c1e] succeeded in 0.412s: None\nWARN Retry in 30s: SMTPServerDisconnected('Connection unexpectedly closed')\nINFO mingle: all alone",
        calls="hold-redis accounts",
        env={"CELERY_BROKER_URL": "redis://hold-redis:6379/2"},
    )
    c.service_of(
        "accounts",
        8080,
        "spring",
        "INFO d.s.accounts.SessionResource|session issued\nINFO io.quarkus|accounts 2.4.1 on JVM started in 3.118s. Listening on: http://0.0.0.0:8080\nWARN d.s.accounts.LoginThrottle|3 failed logins from 198.51.100.7",
        calls="orders-pg",
        env=pg("accounts_app", "accounts"),
    )
    c.service_of(
        "fraud",
        50051,
        "python",
        "INFO fraud.score|scored order 70233151: 0.07\nINFO fraud.server|gRPC listening on [::]:50051\nWARN fraud.features|feature store miss for device 0x9a, default used",
        calls="",
    )
    c.service_of(
        "orders-pg",
        5432,
        "plain",
        "INFO [27] LOG:  checkpoint complete: wrote 812 buffers (5.0%); 0 WAL file(s) added, 0 removed, 1 recycled\nINFO [1] LOG:  database system is ready to accept connections\nWARN [913] LOG:  could not receive data from client: Connection reset by peer",
        replicas=1,
        kind="StatefulSet",
        image="docker.io/library/postgres:16.6",
    )
    c.service_of(
        "hold-redis",
        6379,
        "plain",
        "INFO 1:M * 10000 changes in 60 seconds. Saving...\nINFO 1:M * Background saving terminated with success\nINFO 1:M # WARNING Memory overcommit must be enabled!",
        replicas=1,
        kind="StatefulSet",
        image="docker.io/library/redis:7.4.2",
    )
    c.service_of(
        "bus",
        5672,
        "plain",
        "INFO [info] <0.812.0> connection <0.812.0> (10.244.3.14:48122 -> 10.244.1.30:5672): user 'mint' authenticated and granted access to vhost '/'\nWARN [warning] <0.640.0> closing AMQP connection <0.640.0>: client unexpectedly closed TCP connection",
        replicas=1,
        kind="StatefulSet",
        image="docker.io/library/rabbitmq:3.13.7-management",
    )
    c.service_of(
        "catalog-mongo",
        27017,
        "plain",
        'INFO {"s":"I","c":"STORAGE","id":22430,"ctx":"Checkpointer","msg":"WiredTiger message","attr":{"message":"saving checkpoint snapshot"}}\nINFO {"s":"I","c":"NETWORK","id":22943,"ctx":"listener","msg":"Connection accepted","attr":{"connectionCount":41}}',
        replicas=3,
        kind="StatefulSet",
        image="docker.io/library/mongo:7.0.16",
    )
    for name in ("orders-pg", "hold-redis", "bus", "catalog-mongo"):
        stored(c, name)
    c.ingress(
        "stagedoor",
        "tickets.stagedoor.example",
        {"/": ("edge", 8080), "/api/orders": ("order-desk", 8080), "/api/search": ("search", 8081)},
    )
    noise(c, ("search", "notify", "edge"))
    return c


def haulwave() -> Estate:
    """Telemetry of lorries: eighteen workloads, applied by kustomize; a mesh stands beside some."""
    c = Estate(HAUL, NODES, helm=False)
    c.service_of(
        "fleet-ui",
        8080,
        "nginx",
        'INFO "GET /assets/app-9f1c.js HTTP/1.1" 200 411827\nINFO "GET /api/vehicles?depot=12 HTTP/1.1" 200 8172',
        calls="fleet-api",
        image="docker.io/library/nginx:1.27.3-alpine",
    )
    c.service_of(
        "fleet-api",
        4000,
        "pino",
        "INFO request completed\nINFO GET /vehicles 200 31ms\nWARN (node:1) [DEP0040] DeprecationWarning: The `punycode` module is deprecated",
        calls="driver-id trips geofence sessions clickhouse",
        env={
            "DRIVER_ID_URL": "http://driver-id:8080",
            "TRIPS_URL": "http://trips:8080",
            "GEOFENCE_URL": "http://geofence:7070",
            "SESSION_STORE": "sessions:11211",
            "CLICKHOUSE_URL": "http://clickhouse:8123",
        },
        replicas=3,
    )
    c.service_of(
        "driver-id",
        8080,
        "dotnet",
        "INFO Haulwave.DriverId.TokenEndpoint|Issued token for client dispatch-app\nWARN Microsoft.IdentityModel.LoggingExtensions.IdentityLoggerAdapter|IDX10249: token lifetime exceeds policy",
        calls="reports-mysql",
        env={"ConnectionStrings__Main": "Server=reports-mysql;Port=3306;Database=drivers"},
    )
    c.service_of(
        "trips",
        8080,
        "spring",
        "INFO i.h.trips.TripAssembler|Closed trip 88123 (212 km)\nINFO i.h.trips.api.TripController|GET /trips?vehicle=77 in 23 ms\nWARN o.s.kafka.listener.KafkaMessageListenerContainer|Consumer poll took longer than usual",
        calls="geofence clickhouse kafka",
        env={
            "GEOFENCE_BASE_URL": "http://geofence:7070",
            "SPRING_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
            "CLICKHOUSE_URL": "http://clickhouse:8123",
        },
        replicas=3,
    )
    c.service_of(
        "geofence",
        7070,
        "slog",
        "INFO evaluated fences\nINFO polygon index rebuilt\nWARN polygon with self-intersection skipped|fence 4411",
        calls="",
        replicas=2,
    )
    c.service_of(
        "device-gw",
        8883,
        "zap",
        "INFO frame accepted|\nINFO session resumed|\nWARN device clock drift|14s",
        calls="mqtt kafka",
        env={"MQTT_ADDR": "mqtt:1883", "KAFKA_BROKERS": "kafka:9092"},
        replicas=3,
    )
    c.service_of(
        "mqtt",
        1883,
        "plain",
        "INFO [info] msg: client_connected, clientid: gw-0, peername: 10.244.2.14:50112\nINFO [warning] msg: alarm_is_deactivated, name: high_system_memory_usage",
        replicas=1,
        kind="StatefulSet",
        image="docker.io/emqx/emqx:5.8.4",
    )
    c.service_of(
        "ingest",
        None,
        "spring",
        "INFO o.a.kafka.streams.processor.internals.StreamThread|stream-thread [ingest-1] Processed 118231 total records\nINFO i.h.ingest.Sink|flushed 50000 rows in 812 ms\nWARN org.apache.kafka.clients.NetworkClient|[Consumer clientId=ingest-1] Bootstrap broker kafka:9092 (id: -1 rack: null) disconnected",
        calls="kafka clickhouse",
        env={"BOOTSTRAP_SERVERS": "kafka:9092", "CLICKHOUSE_URL": "http://clickhouse:8123"},
        replicas=3,
    )
    c.service_of(
        "decoder",
        None,
        "rust",
        "INFO decoded batch|frames=2000\nWARN unknown frame type|0x3f\nINFO committed offsets",
        calls="kafka",
        env={"KAFKA_BROKERS": "kafka:9092", "KAFKA_SASL_USERNAME": "decoder"},
        replicas=2,
    )
    c.service_of(
        "alerting",
        4001,
        "elixir",
        "INFO evaluated 1200 rules in 212ms\nINFO POST /hooks/test sent 200 in 12ms\nWARN rule 77 matched nothing for 30 days",
        calls="kafka sessions",
    )
    c.service_of(
        "kafka",
        9092,
        "plain",
        "INFO [2026-03-01 11:20:14,118] INFO [GroupCoordinator 1]: Stabilized group ingest generation 41 (kafka.coordinator.group.GroupCoordinator)\nINFO [2026-03-01 11:31:00,001] INFO [LocalLog partition=frames-3, dir=/var/lib/kafka/data] Rolled new log segment at offset 99121 (kafka.log.LocalLog)",
        replicas=3,
        kind="StatefulSet",
        image="quay.io/strimzi/kafka:0.45.0-kafka-3.9.0",
    )
    c.service_of(
        "clickhouse",
        8123,
        "plain",
        "INFO [ 88 ] {} <Information> Application: Ready for connections.\nINFO [ 412 ] {a1b2} <Debug> executeQuery: (from 10.244.1.9:40112) SELECT count() FROM frames WHERE day = today() (stage: Complete)",
        replicas=1,
        kind="StatefulSet",
        image="docker.io/clickhouse/clickhouse-server:24.8.12",
    )
    c.service_of(
        "reports",
        8000,
        "python",
        "INFO gunicorn.error|Booting worker with pid: 31\nINFO reports.views|rendered fuel.pdf in 1.9s\nWARN django.request|Not Found: /favicon.ico",
        calls="reports-mysql clickhouse",
        env={"MYSQL_HOST": "reports-mysql", "MYSQL_PORT": "3306"},
    )
    c.service_of(
        "reports-worker",
        None,
        "celery",
        "INFO Task reports.tasks.monthly[99ab] succeeded in 41.2s: 'ok'\nINFO Connected to redis://queue:6379/0\nWARN Substantial drift from celery@reports-worker-1 may mean clocks are out of sync",
        calls="reports-mysql",
        env={"MYSQL_HOST": "reports-mysql", "MYSQL_PORT": "3306"},
    )
    c.service_of(
        "reports-mysql",
        3306,
        "plain",
        "INFO 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '8.0.40' port: 3306\nINFO 41 [Warning] [MY-013360] [Server] Plugin mysql_native_password reported: 'mysql_native_password' is deprecated",
        replicas=2,
        kind="StatefulSet",
        image="docker.io/library/mysql:8.0.40",
    )
    c.service_of(
        "sessions",
        11211,
        "plain",
        "INFO <28 new auto-negotiating client connection\nINFO >28 STORED",
        replicas=1,
        image="docker.io/library/memcached:1.6.34",
    )
    c.service_of(
        "tiles", 8082, "slog", "INFO tile served\nINFO etag hit\nWARN upstream tile expired|z=14", calls="", replicas=2
    )
    c.service_of(
        "invoicing",
        3000,
        "rails",
        "INFO [9c1f] Completed 200 OK in 48ms (Views: 11.2ms | ActiveRecord: 9.1ms)\nINFO Puma starting in single mode...\nWARN DEPRECATION WARNING: `Rails.application.secrets` is deprecated",
        calls="reports-mysql trips",
        env={"DATABASE_URL": "mysql2://invoicing@reports-mysql:3306/invoicing", "TRIPS_URL": "http://trips:8080"},
    )
    for name in ("mqtt", "kafka", "clickhouse", "reports-mysql"):
        stored(c, name)
    c.ingress("haulwave", "fleet.haulwave.example", {"/": ("fleet-ui", 8080), "/api": ("fleet-api", 4000)})
    noise(c, ("tiles", "alerting", "decoder"))
    return c
