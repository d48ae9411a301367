"""Two applications of the kind that people run to show something, or to sell something."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.world import Svc, World

MEANT = ("Deployment", "StatefulSet", "Service", "ConfigMap")
OTEL = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


def campsites() -> World:
    """Pitches for tents: Go, Java, Python and Node over gRPC, a MongoDB to each of them, RabbitMQ, Consul, Jaeger."""
    r = "ghcr.io/underacanvas/"
    go = {"CONSUL_ADDR": "registry:8500", "JAEGER_ENDPOINT": "http://tracing:14268/api/traces"}

    def mongo(name: str, **rest: str) -> Svc:
        return Svc(f"mongo-{name}", "docker.io/library/mongo:7.0.16", 27017, 1, lang="mongo", disk="5Gi", mem="1Gi", port_name="mongo", probed="")

    def cache(name: str) -> Svc:
        return Svc(f"memcached-{name}", "docker.io/library/memcached:1.6.38", 11211, 1, lang="memcached", port_name="memcache", probed="", mem="128Mi")

    return World("underacanvas", (
        Svc("portal", r + "portal:1.9.2", 5000, 2, calls=("finder", "stays", "guests", "suggest", "reviews", "registry"), env=go, probed="/healthz", config=True),
        Svc("finder", r + "finder:1.9.2", 8082, 2, calls=("map-index", "tariffs", "registry"), env=go, port_name="grpc", probed=""),
        Svc("map-index", r + "map-index:1.9.2", 8083, 1, calls=("mongo-map", "registry"), env=go | {"MONGO_URL": "mongodb://mongo-map:27017/geo"}, port_name="grpc", probed=""),
        Svc("tariffs", r + "tariffs:1.9.2", 8084, 2, calls=("mongo-tariffs", "memcached-tariffs", "registry"), env=go | {"MONGO_URL": "mongodb://mongo-tariffs:27017/tariffs", "MEMCACHED": "memcached-tariffs:11211"}, port_name="grpc", probed=""),
        Svc("stays", r + "stays:4.2.0", 8087, 2, calls=("mongo-stays", "memcached-stays", "wallet", "courier-mq"), lang="java", env={"MONGO_URI": "mongodb://mongo-stays:27017/stays", "WALLET_ADDR": "wallet:8090", "RABBIT_HOST": "courier-mq", "JAVA_TOOL_OPTIONS": "-Xmx384m"}, mem="640Mi", cpu="1", port_name="grpc", probed="", secret=True, config=True),
        Svc("guests", r + "guests:0.31.0", 8086, 2, calls=("mongo-guests", "redis-logins"), lang="python", env={"MONGO_HOST": "mongo-guests", "MONGO_PORT": "27017", "REDIS_URL": "redis://redis-logins:6379/0"}, secret=True, account=True),
        Svc("suggest", r + "suggest:0.12.3", 8085, 1, calls=("mongo-map", "tariffs"), lang="python", env={"MONGO_HOST": "mongo-map", "TARIFFS_ADDR": "tariffs:8084"}, port_name="grpc", probed="", mem="512Mi"),
        Svc("reviews", r + "reviews:2.7.1", 8088, 2, calls=("mongo-reviews", "photos"), lang="node", env={"MONGODB_URI": "mongodb://mongo-reviews:27017/reviews", "PHOTOS_URL": "http://photos:8089"}, config=True),
        Svc("photos", r + "photos:2.7.1", 8089, 1, lang="node", disk="20Gi", env={"STORE_DIR": "/var/lib/data"}),
        Svc("wallet", r + "wallet:4.2.0", 8090, 2, calls=("card-bridge", "mongo-stays"), lang="java", env={"CARD_BRIDGE_ADDR": "card-bridge:8091", "MONGO_URI": "mongodb://mongo-stays:27017/wallet"}, mem="512Mi", cpu="1", port_name="grpc", probed=""),
        Svc("card-bridge", r + "card-bridge:1.4.6", 8091, 2, lang="node", env={"PSP_BASE": "https://api.cardpeak.example.net"}, secret=True),
        Svc("letters", r + "letters:0.8.4", 0, 1, calls=("courier-mq",), lang="python", env={"AMQP_URL": "amqp://letters@courier-mq:5672/", "SMTP_HOST": "smtp.mailpeak.example.net"}, probed=None, config=True),
        Svc("season-watch", r + "season-watch:0.4.0", 0, 1, calls=("courier-mq", "tariffs"), env={"AMQP_URL": "amqp://season@courier-mq:5672/", "TARIFFS_ADDR": "tariffs:8084"}, probed=None),
        Svc("courier-mq", "docker.io/library/rabbitmq:4.0.7-management", 5672, 1, "StatefulSet", lang="broker", disk="8Gi", mem="1Gi", port_name="amqp", probed=""),
        mongo("map"), mongo("tariffs"), mongo("stays"), mongo("guests"), mongo("reviews"),
        cache("tariffs"), cache("stays"),
        Svc("redis-logins", "docker.io/library/redis:7.4.2", 6379, 1, lang="redis", port_name="redis", probed=""),
        Svc("registry", "docker.io/hashicorp/consul:1.20.4", 8500, 1, lang="go", probed="/v1/status/leader", mem="256Mi"),
        Svc("tracing", "docker.io/jaegertracing/all-in-one:1.67.0", 14268, 1, lang="go", probed="", mem="512Mi"),
        Svc("camper-sim", "docker.io/locustio/locust:2.33.2", 0, 1, calls=("portal",), lang="python", probed=None, env={"LOCUST_HOST": "http://portal:5000", "LOCUST_USERS": "40"}),
    ), label="app").build()


FLAGS = '{"$schema":"https://flagd.dev/schema/v0/flags.json","flags":{"paygateUnreachable":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"},"rangeFailure":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"},"promoHighCpu":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"},"alikeCacheLeak":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"},"busFlood":{"state":"ENABLED","variants":{"on":100,"off":0},"defaultVariant":"off"}}}'


def teashop() -> World:
    """Tea by post: a proxy, a shop front, feature flags, payment, PostgreSQL, Kafka, an OpenTelemetry collector."""
    r = "registry.leafandlid.example.com/shop/"
    pg = {"DB_HOST": "pg-shop", "DB_PORT": "5432", "DB_NAME": "shop", "DB_USER": "shop"}
    flag = {"FLAGD_HOST": "flags", "FLAGD_PORT": "8013"}
    made = World("leafandlid", (
        Svc("edge", "docker.io/envoyproxy/envoy:v1.33.0", 8080, 2, calls=("shopfront", "pictures"), lang="envoy", env={"SHOPFRONT_HOST": "shopfront", "SHOPFRONT_PORT": "3000"}, probed="/ready", config=True),
        Svc("shopfront", r + "shopfront:2.1.4", 3000, 2, calls=("range", "trolley", "till", "coin", "postage", "promo", "alike", "flags"), lang="node", env=OTEL | flag | {"RANGE_ADDR": "range:3550", "TROLLEY_ADDR": "trolley:7070", "TILL_ADDR": "till:5050", "COIN_ADDR": "coin:7001", "POSTAGE_ADDR": "postage:50050", "PROMO_ADDR": "promo:9555", "ALIKE_ADDR": "alike:8088"}, probed="/"),
        Svc("till", r + "till:2.1.4", 5050, 2, calls=("trolley", "range", "coin", "postage", "paygate", "mailer", "bus", "flags"), env=OTEL | flag | {"TROLLEY_ADDR": "trolley:7070", "RANGE_ADDR": "range:3550", "COIN_ADDR": "coin:7001", "POSTAGE_ADDR": "postage:50050", "PAYGATE_ADDR": "paygate:50051", "MAILER_ADDR": "http://mailer:6060", "KAFKA_ADDR": "bus:9092"}, port_name="grpc", probed=""),
        Svc("paygate", r + "paygate:2.1.4", 50051, 2, calls=("flags",), lang="node", env=OTEL | flag, port_name="grpc", probed="", secret=True),
        Svc("trolley", r + "trolley:2.1.4", 7070, 2, calls=("valkey-trolley", "flags"), lang="dotnet", env=OTEL | flag | {"VALKEY_ADDR": "valkey-trolley:6379"}, port_name="grpc", probed=""),
        Svc("range", r + "range:2.1.4", 3550, 2, calls=("pg-shop", "flags"), env=OTEL | flag | pg, port_name="grpc", probed="", secret=True),
        Svc("coin", r + "coin:2.1.4", 7001, 2, lang="rust", env=OTEL, port_name="grpc", probed=""),
        Svc("postage", r + "postage:2.1.4", 50050, 2, calls=("tare",), lang="rust", env=OTEL | {"TARE_ADDR": "http://tare:8090"}, port_name="grpc", probed=""),
        Svc("tare", r + "tare:2.1.4", 8090, 2, lang="php", env=OTEL, probed="/ping"),
        Svc("mailer", r + "mailer:2.1.4", 6060, 1, lang="python", env=OTEL, config=True),
        Svc("promo", r + "promo:2.1.4", 9555, 2, calls=("flags",), lang="java", env=OTEL | flag | {"JAVA_TOOL_OPTIONS": "-Xmx256m"}, mem="512Mi", port_name="grpc", probed=""),
        Svc("alike", r + "alike:2.1.4", 8088, 2, calls=("range", "flags"), lang="python", env=OTEL | flag | {"RANGE_ADDR": "range:3550"}, mem="512Mi", port_name="grpc", probed=""),
        Svc("ledger", r + "ledger:2.1.4", 0, 1, calls=("bus", "pg-shop"), lang="dotnet", env=OTEL | {"KAFKA_ADDR": "bus:9092", "DB_CONNECTION_STRING": "Host=pg-shop;Port=5432;Username=ledger;Database=shop"}, probed=None, secret=True),
        Svc("fraud-watch", r + "fraud-watch:2.1.4", 0, 1, calls=("bus", "flags"), lang="java", env=OTEL | flag | {"KAFKA_ADDR": "bus:9092"}, probed=None, mem="512Mi"),
        Svc("flags", "ghcr.io/open-feature/flagd:v0.12.1", 8013, 1, env={"FLAGD_OTEL_COLLECTOR_URI": "collector:4317"}, probed="", config=True),
        Svc("pictures", "docker.io/library/nginx:1.27.4", 8081, 1, lang="nginx", disk="10Gi", probed="/"),
        Svc("pg-shop", "docker.io/library/postgres:17.4", 5432, 1, "StatefulSet", lang="postgres", disk="20Gi", mem="1Gi", cpu="1", port_name="postgres", probed="", secret=True),
        Svc("valkey-trolley", "docker.io/valkey/valkey:8.0.2", 6379, 1, lang="redis", port_name="redis", probed="", mem="128Mi"),
        Svc("bus", "docker.io/apache/kafka:3.9.0", 9092, 1, "StatefulSet", lang="kafka", disk="20Gi", mem="1Gi", cpu="1", port_name="kafka", probed=""),
        Svc("collector", "docker.io/otel/opentelemetry-collector-contrib:0.121.0", 4317, 1, calls=("traces",), mem="512Mi", port_name="otlp", probed="", config=True),
        Svc("traces", "docker.io/jaegertracing/jaeger:2.4.0", 4318, 1, mem="512Mi", port_name="otlp-http", probed=""),
        Svc("shopper-sim", r + "shopper-sim:2.1.4", 0, 1, calls=("edge",), lang="python", env={"LOCUST_HOST": "http://edge:8080", "LOCUST_USERS": "10"}, probed=None),
    )).build()
    made.get("ConfigMap", "flags-config")["data"] = {"flags.json": FLAGS}
    return made
