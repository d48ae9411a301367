"""Which workloads keep data: by their image, their name, or the port that they declare."""

import re
from collections.abc import Iterable

from interlock.agents.analyzers.world import Group

_PRODUCTS = re.compile(
    r"(?i)postgres|mysql|maria|percona|mongo|redis|valkey|dragonfly|memcache|cassandra|scylla|cockroach|yugabyte|mssql"
    r"|sqlserver|couch|etcd|elastic|opensearch|clickhouse|timescale|spilo|influx|neo4j|tidb|vitess|rethink|arango"
)
_NAMES = re.compile(r"(?i)(?:^|[-_./])(?:pg|pgsql|sql|db|database|cache|store)(?:$|[-_.:/0-9])")
# How each product is known in what its clients say, and in the name or image of the one that runs it.
_FAMILIES: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(said, re.I), re.compile(named, re.I))
    for said, named in (
        (r"postgres|psql|psycopg|\bpgx?\b|\bpq:|PG::", r"postgres|(?:^|[-_./])pg|timescale|cockroach|yugabyte|spilo"),
        (r"mysql|maria|innodb", r"mysql|maria|percona|tidb|vitess"),
        (r"mongo", r"mongo"),
        (
            r"redis|lettuce|jedis|^.{0,60}\b(?:READONLY|MISCONF|WRONGPASS|NOAUTH)\b|OOM command",
            r"redis|valkey|dragonfly",
        ),
        (r"clickhouse|DB::Exception", r"clickhouse"),
        (r"elastic|opensearch|flood.stage", r"elastic|opensearch"),
        (r"cassandra|datastax|\bcql\b", r"cassandra|scylla"),
    )
)
_BROKERS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"(?i)rabbit|amqp|blocked: low on"), re.compile(r"(?i)rabbit")),
    (re.compile(r"(?i)kafka|SASL"), re.compile(r"(?i)kafka|redpanda|strimzi")),
)
_PASSES_ON = re.compile(r"(?i)rabbit|kafka|redpanda|strimzi|nats|pulsar|activemq|artemis")
_RELAYED = re.compile(r"(?i)exception|errors?\b|SQLSTATE|\bERR\b|::")
_PORTS = frozenset({1433, 1521, 3306, 5432, 6379, 7687, 8529, 9042, 11211, 26257, 27017, 28015})


def is_store(group: Group | None) -> bool:
    """Whether a workload is a database or a cache; what was not seen is none."""
    if group is None:
        return False
    containers = group.spec.containers
    if any(_PRODUCTS.search(c.image) for c in containers) or _PRODUCTS.search(group.ref.name):
        return True
    ports = {port.container_port for container in containers for port in container.ports}
    keeps = group.workload.kind == "StatefulSet" or any(v.persistent_volume_claim for v in group.spec.volumes)
    return bool(ports & _PORTS) or (keeps and _NAMES.search(group.ref.name) is not None)


def is_broker(group: Group | None) -> bool:
    """Whether a workload passes messages on, by its image or its name."""
    names = (group.ref.name, *(c.image for c in group.spec.containers)) if group is not None else ()
    return any(_PASSES_ON.search(name) for name in names)


def meant_stores(text: str, stores: Iterable[Group]) -> tuple[Group, ...]:
    """Of several stores, those of the product that a complaint is about; all where it names no product of theirs."""
    every = tuple(stores)
    return of_product(text, every) or every


def of_product(text: str, groups: Iterable[Group]) -> tuple[Group, ...]:
    """The workloads that run the product that a complaint is about; none where it names none, or none runs it."""
    every = tuple(groups)
    for said, named in (*_FAMILIES, *_BROKERS):
        if said.search(text):
            of_it = tuple(
                g for g in every if any(named.search(x) for x in (g.ref.name, *(c.image for c in g.spec.containers)))
            )
            if of_it:
                return of_it
    return ()


def speaks_of_product(text: str) -> bool:
    """Whether a complaint is one that a client passes on from its store: an error, in the words of such a product."""
    return _RELAYED.search(text) is not None and any(said.search(text) for said, _ in _FAMILIES)
