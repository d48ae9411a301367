import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from interlock.crds.redact import (
    HIDDEN,
    is_secret_name,
    keyed_digest,
    looks_secret,
    redact_object,
    redact_text,
)

secrets = st.from_regex(r"[A-Za-z0-9]{3}[A-Za-z0-9!@#%^*()+=_-]{8,30}[A-Za-z0-9]", fullmatch=True)
alphanumeric = st.from_regex(r"[A-Za-z0-9]{12,30}", fullmatch=True)
names = st.sampled_from(
    [
        "PASSWORD",
        "DB_PASSWORD",
        "PGPASSWORD",
        "mysqlPwd",
        "MYSQL_PWD",
        "client-secret",
        "clientSecret",
        "API_KEY",
        "apiKey",
        "AWS_SECRET_ACCESS_KEY",
        "githubToken",
        "TOKEN2",
        "SECRETS",
        "Authorization",
        "session_id",
        "redis.password",
        "SENTRY_DSN",
    ]
)


def shown(value: JsonValue) -> str:
    return json.dumps(redact_object(value), ensure_ascii=False)


@given(names, secrets)
def test_a_variable_with_a_secret_name_is_hidden(name: str, secret: str) -> None:
    container: JsonValue = {"name": "web", "env": [{"name": name, "value": secret}, {"name": "MODE", "value": "fast"}]}
    assert secret not in shown(container)
    assert "fast" in shown(container)


@given(names, secrets)
def test_a_key_with_a_secret_name_is_hidden(name: str, secret: str) -> None:
    assert secret not in shown({"kind": "ConfigMap", "data": {name: secret}})


@given(st.text(min_size=1, max_size=10), secrets, st.sampled_from(["data", "stringData"]))
def test_nothing_of_a_secret_is_shown(key: str, secret: str, field: str) -> None:
    body: JsonValue = {"kind": "Secret", "metadata": {"name": "db"}, field: {key: secret}}
    assert redact_object(body) == {"kind": "Secret", "metadata": {"name": "db"}, field: {key: HIDDEN}}
    assert secret not in shown({"kind": "List", "items": [body]})
    assert secret not in shown({"kind": "SecretList", "items": [{"metadata": {"name": "db"}, field: {key: secret}}]})


@given(secrets)
def test_the_last_applied_configuration_is_hidden(secret: str) -> None:
    annotation = json.dumps({"kind": "Secret", "data": {"x": secret}})
    body: JsonValue = {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": annotation}}}
    assert secret not in shown(body)


@given(alphanumeric, st.sampled_from(["", "@", "!x@y"]))
def test_credentials_in_urls(secret: str, tail: str) -> None:
    url = f"postgres://shop:{secret}{tail}@db.shop:5432/orders"
    assert secret not in redact_text(f"dial {url}: connection refused")
    assert "@db.shop:5432/orders: connection refused" in redact_text(f"dial {url}: connection refused")
    assert secret not in shown({"env": [{"name": "DATABASE_URL", "value": url}]})
    assert secret not in redact_text(f"https://{secret}{secret}@sentry.example.com/1")


@pytest.mark.parametrize(
    "form",
    [
        "password={}",
        "password: {}",
        "password = '{}'",
        '"password": "{}"',
        '{{\\"password\\": \\"{}\\"}}',
        "--password={} --verbose",
        "--password {} --verbose",
        "--db-password '{}'",
        "PGPASSWORD={} psql",
        "api_key={}&page=2",
        "x-api-key: {}",
        "level=info msg=login secret={} user=bob",
        "Authorization: Bearer {}",
        "authorization: bearer {}",
    ],
)
@given(secret=alphanumeric)
def test_values_assigned_in_text(form: str, secret: str) -> None:
    text = form.format(secret)
    assert secret not in redact_text(text)
    assert secret not in shown({"args": ["sh", "-c", text]})
    assert secret not in shown({"env": [{"name": "OPTIONS", "value": text}]})


@given(alphanumeric)
def test_a_quoted_value_is_hidden_as_a_whole(secret: str) -> None:
    assert redact_text(f'password="two {secret}" user=bob') == f'password="{HIDDEN}" user=bob'


@given(secrets)
def test_the_argument_after_a_secret_flag(secret: str) -> None:
    assert redact_object(["serve", "--db-password", secret, "--port", "80"]) == [
        "serve",
        "--db-password",
        HIDDEN,
        "--port",
        "80",
    ]


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijkl",
        "glpat-abcdefghij0123456789",
        "xoxb-1234567890-abcdef",
        "sk-proj-abcdefghijklmnop",
        "sk_live_abcdefghijklmnop",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\ncut off",
    ],
)
def test_tokens_wherever_they_stand(token: str) -> None:
    assert token not in redact_text(f"request with {token} failed")
    assert looks_secret(token)
    assert token not in json.dumps(redact_object({"log": f"x {token} y"}))
    assert redact_object({"env": [{"name": "HARMLESS", "value": token}]}) == {
        "env": [{"name": "HARMLESS", "value": HIDDEN}]
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        'Back-off pulling image "registry.example.com:5000/shop/web:v1.2.3"',
        "docker-pullable://nginx:1.25@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "http://web.shop.svc.cluster.local:8080/healthz",
        'Get "http://10.0.0.7:8080/healthz": dial tcp 10.0.0.7:8080: connect: connection refused',
        'secret "db-credentials" not found',
        "couldn't find key password in Secret shop/db-credentials",
        "basic authentication failed",
        "mail to on-call@example.com",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "risk-assessment-service-for-all-the-regions",
    ],
)
def test_what_is_no_secret_survives(text: str) -> None:
    assert redact_text(text) == text


def test_an_object_without_secrets_survives() -> None:
    body: JsonValue = {
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "generation": 4},
        "spec": {
            "sessionAffinity": "ClientIP",
            "serviceAccountName": "token-reader",
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [
                {
                    "name": "web",
                    "image": "web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "env": [
                        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
                        {"name": "REVISION", "value": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"},
                        {"name": "REPLICAS", "value": ""},
                    ],
                }
            ],
            "volumes": [{"name": "s", "secret": {"secretName": "db", "defaultMode": 420, "optional": False}}],
            "automountServiceAccountToken": True,
        },
    }
    assert redact_object(body) == body


@given(st.text(alphabet=" abcdefghijklmnoprstuvw", max_size=80))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact_text(f"{text} password={text or 'x'} {text}")
    assert redact_text(once) == once


@pytest.mark.parametrize(
    "name", ["image", "namespace", "tokenizer", "passenger", "keyboard", "sessionAffinity", "author"]
)
def test_ordinary_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("unit", ["eyJ", "password ", "a", "--", "://a:", "basic ", '\\"', "password=\\", "x-"])
def test_hostile_text_takes_no_long_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert len(redact_text(text)) <= len(text) * len(HIDDEN)


def test_equal_hidden_values_are_comparable_and_others_differ() -> None:
    assert keyed_digest(b"k", "v") == keyed_digest(b"k", "v")
    assert len({keyed_digest(b"k", "v"), keyed_digest(b"k", "w"), keyed_digest(b"l", "v")}) == 3


WORDS = """password Passwd passphrase PWD secret token api_key ApiKey access-key private_key credential
    eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0 AKIAABCDEFGHIJKLMNOP ghp_0123456789abcdefghij glpat-0123456789abcdef
    sk_live_0123456789abcdef xoxb-0123456789 sk-0123456789abcdef01 postgres://u:hunter22@db Bearer basic
    -----BEGIN PRIVATE KEY----- YWRtaW46YWRtaW4 AIza0123456789012345678901234567890 0123456789abcdef""".split()  # noqa: SIM905 - one word after the other reads best
JOINS = ["=", ":", '"', "'", '\\"', "/", "-", "--", " ", "\n"]
FRAGMENTS = st.sampled_from([*WORDS, *JOINS])


@given(st.lists(FRAGMENTS | st.text(st.characters(codec="ascii"), max_size=6)))
def test_text_is_redacted_alike_whatever_stands_before_it(parts: list[str]) -> None:
    text = "".join(parts)
    assert redact_text(f"…\n{text}") == f"…\n{redact_text(text)}"
