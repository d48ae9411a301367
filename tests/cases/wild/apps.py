"""Three applications that the rules were not written for."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.world import Svc, World

OTEL = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317"}


def harbour() -> World:
    """A port: Go, Python and Java over gRPC, OpenTelemetry, PostgreSQL, Redis, Kafka."""
    r = "ghcr.io/nordhaven/"
    return World("harbour-ops", (
        Svc("quay-gateway", r + "quay-gateway:7.4.0", 8443, 3, calls=("manifest-api", "berth-planner", "vessel-tracker", "keyring"), env=OTEL | {"MANIFEST_ADDR": "manifest-api:9000", "BERTH_ADDR": "berth-planner:9001", "TRACKER_ADDR": "vessel-tracker:9002"}, config=True),
        Svc("manifest-api", r + "manifest-api:3.12.1", 9000, 2, calls=("cargo-ledger", "customs-bridge", "pg-cargo"), env=OTEL | {"DB_HOST": "pg-cargo", "DB_PORT": "5432", "DB_NAME": "manifests", "LEDGER_ADDR": "cargo-ledger:9010"}, secret=True, port_name="grpc", account=True),
        Svc("berth-planner", r + "berth-planner:1.31.0", 9001, 2, calls=("tide-forecast", "crane-scheduler", "redis-slots"), lang="python", env=OTEL | {"TIDE_URL": "http://tide-forecast:8000", "REDIS_URL": "redis://redis-slots:6379/0", "CRANE_ADDR": "crane-scheduler:9011"}, port_name="grpc", mem="512Mi"),
        Svc("tide-forecast", r + "tide-forecast:0.9.4", 8000, 2, calls=("weather-cache",), lang="python", env={"CACHE_HOST": "weather-cache", "MODEL_PATH": "/models/tide-v3.onnx"}, mem="768Mi", config=True),
        Svc("crane-scheduler", r + "crane-scheduler:5.2.2", 9011, 2, calls=("stream", "pg-cargo"), lang="java", env={"JAVA_TOOL_OPTIONS": "-Xmx384m", "KAFKA_BOOTSTRAP": "stream:9092", "DB_HOST": "pg-cargo"}, mem="640Mi", cpu="1", secret=True, probed="/actuator/health"),
        Svc("cargo-ledger", r + "cargo-ledger:2.8.7", 9010, 2, calls=("pg-cargo", "stream"), lang="java", env={"SPRING_DATASOURCE_URL": "jdbc:postgresql://pg-cargo:5432/ledger", "KAFKA_BOOTSTRAP": "stream:9092"}, mem="768Mi", cpu="1", secret=True, probed="/actuator/health", config=True),
        Svc("customs-bridge", r + "customs-bridge:4.0.3", 8085, 2, calls=("tariff-engine",), env={"TARIFF_URL": "http://tariff-engine:8090", "CUSTOMS_ENDPOINT": "https://api.customs.example.org"}, config=True),
        Svc("tariff-engine", r + "tariff-engine:1.6.0", 8090, 1, lang="java", mem="512Mi", probed="/actuator/health", config=True),
        Svc("vessel-tracker", r + "vessel-tracker:2.2.0", 9002, 3, calls=("redis-slots", "stream"), env={"REDIS_ADDR": "redis-slots:6379", "KAFKA_BROKERS": "stream:9092"}, port_name="grpc"),
        Svc("ais-ingest", r + "ais-ingest:1.14.2", 10110, 2, calls=("stream",), env={"KAFKA_BROKERS": "stream:9092"}, probed=""),
        Svc("notify-relay", r + "notify-relay:3.3.1", 8088, 1, calls=("stream",), lang="node", env={"KAFKA_BROKERS": "stream:9092", "SMTP_HOST": "smtp.sendhub.example.com"}, secret=True),
        Svc("keyring", r + "keyring:21.0.2", 8180, 1, calls=("pg-cargo",), lang="java", mem="1Gi", cpu="1", probed="/health/ready", secret=True, env={"KC_DB_URL_HOST": "pg-cargo"}),
        Svc("otel-collector", "otel/opentelemetry-collector-contrib:0.121.0", 4317, 1, mem="512Mi", port_name="otlp", probed=""),
        Svc("weather-cache", "docker.io/library/memcached:1.6.38", 11211, 1, port_name="memcache", probed="", lang="nginx"),
        Svc("pg-cargo", "docker.io/library/postgres:16.8", 5432, 1, "StatefulSet", lang="postgres", disk="20Gi", mem="1Gi", port_name="postgres", probed="", secret=True),
        Svc("redis-slots", "docker.io/library/redis:7.4.2", 6379, 1, "StatefulSet", lang="nginx", disk="2Gi", port_name="redis", probed=""),
        Svc("stream", "docker.io/apache/kafka:3.9.0", 9092, 3, "StatefulSet", lang="java", disk="40Gi", mem="2Gi", cpu="2", port_name="kafka", probed=""),
        Svc("berth-ui", r + "berth-ui:12.0.1", 8080, 2, calls=("quay-gateway",), lang="nginx", env={"API_BASE": "http://quay-gateway:8443"}, probed="/"),
    )).build()


def orchard() -> World:
    """A nursery that sells plants: PHP, Node, MariaDB, RabbitMQ, OpenSearch."""
    r = "registry.gitlab.com/greenstem/"
    db = {"DB_HOST": "mariadb", "DB_PORT": "3306", "DB_DATABASE": "nursery"}
    return World("greenstem", (
        Svc("storefront", r + "storefront:2026.3.1", 8080, 3, calls=("catalog", "basket", "sessions", "seed-search"), lang="php", env={"CATALOG_URL": "http://catalog:3000", "BASKET_URL": "http://basket:3001", "SESSION_HOST": "sessions"}, config=True, probed="/ping"),
        Svc("grower-portal", r + "grower-portal:2026.2.4", 8080, 2, calls=("mariadb", "media"), lang="php", env=db, secret=True, probed="/ping"),
        Svc("catalog", r + "catalog:5.9.0", 3000, 2, calls=("mariadb", "seed-search", "page-cache"), lang="node", env=db | {"SEARCH_URL": "http://seed-search:9200"}, secret=True, config=True),
        Svc("basket", r + "basket:4.4.2", 3001, 2, calls=("sessions", "stock", "pricing"), lang="node", env={"REDIS_URL": "redis://sessions:6379", "STOCK_URL": "http://stock:3003", "PRICING_URL": "http://pricing:3004"}),
        Svc("checkout", r + "checkout:6.1.0", 3002, 2, calls=("basket", "pay-adapter", "rabbit", "mariadb"), lang="node", env=db | {"PAY_URL": "http://pay-adapter:3005", "AMQP_URL": "amqp://rabbit:5672"}, secret=True, config=True),
        Svc("stock", r + "stock:2.7.3", 3003, 2, calls=("mariadb",), lang="node", env=db, secret=True),
        Svc("pricing", r + "pricing:1.8.1", 3004, 2, calls=("page-cache",), lang="node", env={"CACHE": "page-cache:11211"}, config=True),
        Svc("pay-adapter", r + "pay-adapter:3.0.9", 3005, 2, lang="node", env={"PSP_URL": "https://psp.paywell.example.com"}, secret=True, account=True),
        Svc("mailout", r + "mailout:2026.1.0", 0, 1, calls=("rabbit",), lang="php", env={"AMQP_URL": "amqp://rabbit:5672"}, probed=None),
        Svc("stock-sync", r + "stock-sync:1.2.6", 0, 2, calls=("rabbit", "stock"), lang="php", env={"AMQP_HOST": "rabbit", "STOCK_URL": "http://stock:3003"}, probed=None, config=True),
        Svc("label-printer", r + "label-printer:0.8.0", 3010, 1, calls=("rabbit",), lang="node"),
        Svc("media", "docker.io/library/nginx:1.27.4", 8081, 1, lang="nginx", disk="50Gi", probed="/"),
        Svc("imgproxy", "docker.io/darthsim/imgproxy:v3.27", 8082, 2, calls=("media",), mem="512Mi", probed="/health", env={"IMGPROXY_BASE_URL": "http://media:8081"}),
        Svc("seed-search", "docker.io/opensearchproject/opensearch:2.19.1", 9200, 2, "StatefulSet", lang="java", disk="30Gi", mem="2Gi", cpu="1", probed="", port_name="rest"),
        Svc("mariadb", "docker.io/library/mariadb:11.4.5", 3306, 1, "StatefulSet", lang="mariadb", disk="40Gi", mem="2Gi", cpu="2", probed="", port_name="mysql", secret=True),
        Svc("rabbit", "docker.io/library/rabbitmq:4.0.7", 5672, 1, "StatefulSet", lang="broker", disk="8Gi", mem="1Gi", probed="", port_name="amqp"),
        Svc("sessions", "docker.io/valkey/valkey:8.0.2", 6379, 1, lang="nginx", probed="", port_name="redis"),
        Svc("page-cache", "docker.io/library/memcached:1.6.38", 11211, 2, lang="nginx", probed="", port_name="memcache"),
    ), label="app").build()


def meridian() -> World:
    """Road tolls: Rust and .NET over NATS, SQL Server, ClickHouse."""
    r = "meridianacr.azurecr.io/"
    nats = {"NATS__Url": "nats://nats:4222"}
    sql = {"ConnectionStrings__Billing": "Server=billing-sql,1433;Database=Billing;User Id=billing_app;TrustServerCertificate=true"}
    return World("meridian", (
        Svc("edge-ingest", r + "edge-ingest:0.41.0", 7000, 4, calls=("nats",), lang="rust", env={"NATS_URL": "nats://nats:4222"}, probed=""),
        Svc("frame-decoder", r + "frame-decoder:0.41.0", 7001, 3, calls=("nats", "plate-reader"), lang="rust", env={"NATS_URL": "nats://nats:4222", "PLATES": "http://plate-reader:7002"}, cpu="1"),
        Svc("plate-reader", r + "plate-reader:1.9.0", 7002, 2, calls=("tracks",), lang="rust", mem="1Gi", cpu="2"),
        Svc("geo-fence", r + "geo-fence:0.18.2", 7003, 2, calls=("tracks",), lang="rust", env={"CLICKHOUSE": "http://tracks:8123"}, config=True),
        Svc("trip-builder", r + "trip-builder:0.22.0", 7004, 2, calls=("nats", "geo-fence", "tracks"), lang="rust", env={"NATS_URL": "nats://nats:4222", "FENCE": "http://geo-fence:7003", "CLICKHOUSE": "http://tracks:8123"}),
        Svc("trip-billing", r + "trip-billing:8.3.0", 8080, 2, calls=("rate-cards", "billing-sql", "nats"), lang="dotnet", env=nats | sql | {"RateCards__Url": "http://rate-cards:8080"}, secret=True, config=True, mem="512Mi"),
        Svc("rate-cards", r + "rate-cards:8.1.2", 8080, 2, calls=("billing-sql", "rates-cache"), lang="dotnet", env=sql | {"Redis__Host": "rates-cache:6379"}, secret=True),
        Svc("account-api", r + "account-api:8.7.5", 8080, 2, calls=("billing-sql", "ident"), lang="dotnet", env=sql | {"Auth__Authority": "http://ident:8080"}, secret=True, account=True),
        Svc("dispute-desk", r + "dispute-desk:3.2.0", 8080, 1, calls=("account-api", "trip-billing"), lang="dotnet", env={"Accounts__Url": "http://account-api:8080", "Billing__Url": "http://trip-billing:8080"}, config=True),
        Svc("fleet-bff", r + "fleet-bff:11.0.4", 8080, 3, calls=("account-api", "trip-billing", "rate-cards", "ident"), lang="dotnet", env={"Accounts__Url": "http://account-api:8080", "Billing__Url": "http://trip-billing:8080"}),
        Svc("ops-console", r + "ops-console:5.5.0", 3000, 1, calls=("fleet-bff",), lang="node", env={"BFF": "http://fleet-bff:8080"}, probed="/"),
        Svc("ident", r + "ident:4.0.1", 8080, 2, calls=("billing-sql",), lang="dotnet", env=sql, secret=True, mem="384Mi"),
        Svc("audit-sink", r + "audit-sink:0.7.1", 7010, 1, calls=("nats", "tracks"), lang="rust", env={"NATS_URL": "nats://nats:4222"}, disk="10Gi"),
        Svc("rates-cache", "docker.io/library/redis:7.4.2", 6379, 1, lang="nginx", probed="", port_name="redis"),
        Svc("nats", "docker.io/library/nats:2.11.0", 4222, 3, "StatefulSet", lang="nats", disk="10Gi", mem="512Mi", probed="", port_name="client"),
        Svc("tracks", "docker.io/clickhouse/clickhouse-server:25.2", 8123, 1, "StatefulSet", lang="nginx", disk="200Gi", mem="3Gi", cpu="2", probed="/ping"),
        Svc("billing-sql", "mcr.microsoft.com/mssql/server:2022-CU17-ubuntu-22.04", 1433, 1, "StatefulSet", lang="nginx", disk="60Gi", mem="3Gi", cpu="2", probed="", port_name="tds", secret=True),
        Svc("node-shipper", "docker.io/timberio/vector:0.45.0-debian", 0, 0, "DaemonSet", lang="rust", probed=None),
    )).build()
