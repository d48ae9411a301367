"""How clients of each language say that what they call does not answer, hop after hop up to the user."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.controllers import is_ready
from tests.cases.wild.objects import stamp
from tests.cases.wild.world import World

WHY = {  # how -> what each runtime calls it
    "refused": {"go": "dial tcp {ip}:{port}: connect: connection refused", "java": "java.net.ConnectException: Connection refused", "python": "[Errno 111] Connection refused", "node": "connect ECONNREFUSED {ip}:{port}", "rust": "tcp connect error: Connection refused (os error 111)", "dotnet": "System.Net.Sockets.SocketException (111): Connection refused", "envoy": "delayed_connect_error:_111"},
    "timeout": {"go": "dial tcp {ip}:{port}: i/o timeout", "java": "java.net.SocketTimeoutException: connect timed out", "python": "timed out", "node": "connect ETIMEDOUT {ip}:{port}", "rust": "operation timed out", "dotnet": "System.TimeoutException: The operation has timed out.", "envoy": "connection_timeout"},
    "dns": {"go": "dial tcp: lookup {to} on 172.20.0.10:53: no such host", "java": "java.net.UnknownHostException: {to}: Name or service not known", "python": "[Errno -2] Name or service not known", "node": "getaddrinfo ENOTFOUND {to}", "rust": "dns error: failed to lookup address information: Name or service not known", "dotnet": "System.Net.Sockets.SocketException (00000001, 11): Resource temporarily unavailable", "envoy": "no_healthy_upstream"},
}
DIRECT = {
    ("go", "grpc"): 'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: {why}"',
    ("java", "grpc"): "io.grpc.StatusRuntimeException: UNAVAILABLE: io exception; Caused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: {why}: {to}/{ip}:{port}",
    ("python", "grpc"): 'grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with: status = StatusCode.UNAVAILABLE details = "failed to connect to all addresses; last error: UNKNOWN: ipv4:{ip}:{port}: Failed to connect to remote host: {why}">',
    ("node", "grpc"): "Error: 14 UNAVAILABLE: No connection established. Last error: Error: {why}. Resolution note: ",
    ("rust", "grpc"): 'status: Unavailable, message: "error trying to connect: {why}", details: [], metadata: MetadataMap',
    ("dotnet", "grpc"): 'Grpc.Core.RpcException: Status(StatusCode="Unavailable", Detail="Error connecting to subchannel.", DebugException="{why}")',
    ("go", "http"): 'Get "http://{to}:{port}/v1/items": {why}',
    ("node", "http"): "Error: {why}",
    ("python", "http"): "requests.exceptions.ConnectionError: HTTPConnectionPool(host='{to}', port={port}): Max retries exceeded with url: / (Caused by NewConnectionError('Failed to establish a new connection: {why}'))",
    ("java", "http"): "java.net.http.HttpClient: GET http://{to}:{port}/: {why}",
    ("dotnet", "http"): "System.Net.Http.HttpRequestException: {why} ({to}:{port})",
    ("rust", "http"): "error sending request for url (http://{to}:{port}/quote): error trying to connect: {why}",
    ("envoy", "http"): '"GET /api/products HTTP/1.1" 503 UF upstream_reset_before_response_started{{remote_connection_failure|{why}}} - "remote_connection_failure" 0 152 1002 - "-" "python-requests/2.32.3" "{to}" "{ip}:{port}"',
    ("go", "mongo"): "server selection error: server selection timeout, current topology: {{ Type: Unknown, Servers: [{{ Addr: {to}:{port}, Type: Unknown, Last error: {why} }}, ] }}",
    ("java", "mongo"): "com.mongodb.MongoTimeoutException: Timed out while waiting for a server that matches ReadPreferenceServerSelector{{readPreference=primary}}. Client view of cluster state is {{type=UNKNOWN, servers=[{{address={to}:{port}, type=UNKNOWN, state=CONNECTING, exception={{com.mongodb.MongoSocketOpenException: Exception opening socket}}, caused by {{{why}}}}}]",
    ("python", "mongo"): "pymongo.errors.ServerSelectionTimeoutError: {to}:{port}: {why} (configured timeouts: socketTimeoutMS: 20000.0ms, connectTimeoutMS: 20000.0ms), Timeout: 30s, Topology Description: <TopologyDescription id: 65f1, topology_type: Unknown>",
    ("node", "mongo"): "MongoServerSelectionError: {why}",
    ("go", "memcache"): "memcache: get failed, falling back to database: {why}",
    ("java", "memcache"): "net.spy.memcached.MemcachedConnection: Reconnecting due to failure to connect to {{QA sa={to}/{ip}:{port}, #Rops=0, #Wops=2}} {why}",
    ("python", "redis"): "redis.exceptions.ConnectionError: Error 111 connecting to {to}:{port}. {why}.",
    ("dotnet", "redis"): "StackExchange.Redis.RedisConnectionException: It was not possible to connect to the redis server(s) {to}:{port}. {why}",
    ("go", "amqp"): "amqp: reconnect failed: {why}",
    ("java", "amqp"): "org.springframework.amqp.AmqpConnectException: {why} ({to}:{port})",
    ("python", "amqp"): "pika.exceptions.AMQPConnectionError: AMQPConnectorSocketConnectError: {why} ('{ip}', {port})",
    ("go", "kafka"): "kafka: client has run out of available brokers to talk to: {why}",
    ("java", "kafka"): "[Consumer clientId=fraud-1, groupId=fraud] Connection to node -1 ({to}/{ip}:{port}) could not be established. Node may not be available. (org.apache.kafka.clients.NetworkClient)",
    ("dotnet", "kafka"): "%3|1773740472.113|FAIL|ledger#consumer-1| [thrd:{to}:{port}/bootstrap]: {to}:{port}/bootstrap: Connect to ipv4#{ip}:{port} failed: {why} (after 3ms in state CONNECT, 14 identical error(s) suppressed)",
    ("go", "postgres"): "failed to connect to `user=shop database=shop`: {ip}:{port} ({to}): dial error: {why}",
    ("dotnet", "postgres"): "Npgsql.NpgsqlException (0x80004005): Failed to connect to {ip}:{port} ---> {why}",
}
FRAME = {
    "go": '{{"level":"error","ts":"{t}","msg":"request failed","service":"{me}","error":"{text}"}}',
    "java": "{t} ERROR 1 --- [{me}] [nio-exec-4] c.u.{me}.GrpcService : request failed: {text}",
    "python": "{t} ERROR [{me}.server] request failed: {text}",
    "node": '{{"level":50,"time":"{t}","pid":1,"name":"{me}","err":{{"type":"Error","message":"{text}"}},"msg":"request errored"}}',
    "rust": "{t} ERROR {me}::service: request failed: {text}",
    "dotnet": "fail: {me}.Services.Handler[0] {t} Unhandled exception. {text}",
    "php": "[{t}] production.ERROR: {text}",
    "envoy": "[{t}] {text}",
    "locust": "{t} ERROR locust.user.task {text}",
}
PASSED_ON = {  # what is said of a callee that answers with an error
    "go": "rpc error: code = {code} desc = {to}: {cause}",
    "java": "io.grpc.StatusRuntimeException: {CODE}: {to}: {cause}",
    "python": '<_InactiveRpcError of RPC that terminated with: status = StatusCode.{CODE} details = "{to}: {cause}">',
    "node": "{number} {CODE}: {to}: {cause}",
    "rust": 'status: {code}, message: "{to}: {cause}"',
    "dotnet": 'Grpc.Core.RpcException: Status(StatusCode="{code}", Detail="{to}: {cause}")',
    "envoy": '"POST /api/checkout HTTP/1.1" 500 - via_upstream - "-" 312 88 {ms} {ms} "-" "python-requests/2.32.3" "{to}" "10.42.1.33:3000"',
}
CODES = {"Unavailable": ("UNAVAILABLE", 14), "Internal": ("INTERNAL", 13), "DeadlineExceeded": ("DEADLINE_EXCEEDED", 4), "Unknown": ("UNKNOWN", 2)}


def framed(world: World, me: str, text: str) -> str:
    """A line of ``me``, as its logger writes it."""
    if world.svc(me).lang in {"go", "node"}:
        text = text.replace('\\"', '"').replace('"', '\\"')
    return FRAME[world.svc(me).lang].format(t=stamp(40).replace("Z", ".118Z"), me=me, text=text)


def direct(world: World, me: str, to: str, how: str = "refused") -> str:
    """The line of ``me`` that cannot connect to ``to``."""
    lang, callee = world.svc(me).lang, world.svc(to)
    where = {"ip": world.get("Service", to)["spec"]["clusterIP"].replace("None", "10.42.1.29"), "port": callee.port, "to": to}
    why = WHY[how][lang].format(**where)
    kind = callee.port_name if (lang, callee.port_name) in DIRECT else "http"
    return framed(world, me, DIRECT[lang, kind].format(why=why, **where))


def passed(world: World, me: str, to: str, code: str, cause: str) -> str:
    """The line of ``me`` whose callee ``to`` answered with a gRPC status."""
    CODE, number = CODES[code]
    text = PASSED_ON[world.svc(me).lang].format(code=code, CODE=CODE, number=number, to=to, cause=cause, ms=1204)
    return framed(world, me, text)


def felt(world: World, name: str, how: str = "refused", code: str = "Unavailable", hops: int = 3, skip: tuple[str, ...] = ()) -> None:
    """Nobody can connect to ``name``: its callers say so, and theirs, and theirs."""
    first = [c for c in world.callers(name) if c not in skip and world.svc(c).lang in FRAME and "-sim" not in c]
    for me in first:
        world.say(me, direct(world, me, name, how), times=5)
    spread(world, first, code, f"{name} unreachable", hops - 1, {name, *first, *skip})


def spread(world: World, sick: list[str], code: str, cause: str, hops: int = 2, known: set[str] | None = None) -> None:
    """Services that answer with an error, and what their callers say of it."""
    known = known if known is not None else set(sick)
    for _ in range(hops):
        found: list[str] = []
        for to in sick:
            for me in world.callers(to):
                if me not in known and world.svc(me).lang in PASSED_ON and "-sim" not in me:
                    world.say(me, passed(world, me, to, code, cause), times=4)
                    found.append(me)
                    known.add(me)
        sick = found
    for sim in world.callers("portal") + world.callers("edge"):
        if world.svc(sim).lang == "python":
            world.say(sim, FRAME["locust"].format(t=stamp(40), text="GET / failed: HTTPError('500 Server Error: Internal Server Error for url: /')"), times=4)


def watch(
    world: World, errors: dict[str, float] | None = None, slow: dict[str, float] | None = None, memory: dict[str, tuple[float, float]] | None = None,
    cpu: dict[str, float] | None = None, throttled: dict[str, float] | None = None, load: dict[str, float] | None = None,
) -> None:
    """What Prometheus has of half an hour: all services calm, some of them not since 14 minutes."""
    errors, slow, memory, cpu, load = errors or {}, slow or {}, memory or {}, cpu or {}, load or {}
    ns, named = world.ns, [s for s in world.svcs if s.port]
    load = {s.name: 0.0 for s in named if not any(map(is_ready, world.pods(s.name)))} | load

    def step(calm: float, now: float) -> list[float]:
        return [calm * (1 + 0.03 * (i % 4)) if i < 17 else now * (1 + 0.02 * (i % 3)) for i in range(31)]

    def series(calm: float, bad: dict[str, float]) -> list[tuple[dict[str, str], list[float]]]:
        return [({"namespace": ns, "service": s.name}, step(calm, bad.get(s.name, calm))) for s in named]

    world.metric("request_rate", f'sum by (namespace, service) (rate(rpc_server_duration_seconds_count{{namespace="{ns}"}}[5m]))', *series(12.0, load))
    world.metric("error_ratio", f'sum by (namespace, service) (rate(rpc_server_requests_total{{namespace="{ns}",code!="OK"}}[5m])) / sum by (namespace, service) (rate(rpc_server_requests_total{{namespace="{ns}"}}[5m]))', *series(0.001, errors))
    world.metric("latency_p99", f'histogram_quantile(0.99, sum by (namespace, service, le) (rate(rpc_server_duration_seconds_bucket{{namespace="{ns}"}}[5m])))', *series(0.08, slow))
    pods = [(s.name, p["metadata"]["name"]) for s in world.svcs for p in world.pods(s.name)]
    used = [({"namespace": ns, "pod": pod, "container": name}, [memory[name][0] + (memory[name][1] - memory[name][0]) * i / 30 for i in range(31)] if name in memory else step(7.1e7, 7.1e7)) for name, pod in pods]
    world.metric("memory", f'container_memory_working_set_bytes{{namespace="{ns}",container!=""}}', *used)
    world.metric("cpu", f'sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{{namespace="{ns}"}}[5m]))', *(({"namespace": ns, "pod": pod, "container": name}, step(0.04, cpu.get(name, 0.04))) for name, pod in pods))
    if throttled is not None:
        world.metric("cpu_throttling", f'sum by (namespace, pod, container) (increase(container_cpu_cfs_throttled_periods_total{{namespace="{ns}"}}[5m])) / sum by (namespace, pod, container) (increase(container_cpu_cfs_periods_total{{namespace="{ns}"}}[5m]))', *(({"namespace": ns, "pod": pod, "container": name}, step(0.0, throttled.get(name, 0.0))) for name, pod in pods))
