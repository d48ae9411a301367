"""An OpenAI-compatible API on a port of this machine that answers from a list, well or badly.

Threads of the standard library: what is tested is the real client, and it must not know the difference.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What the server sends; `hangs` holds the answer back until the server is closed, `cut` closes half-way."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    cut: bool = False


def says_over_http(text: str, model: str = "scripted") -> Reply:
    """A completion that is text."""
    return _completion({"role": "assistant", "content": text}, "stop", model)


def calls_over_http(tool: str, arguments: str, *, finish: str = "tool_calls", model: str = "scripted") -> Reply:
    """A completion that calls one tool; `arguments` is text, so that it can be broken JSON."""
    made = {"id": "call-1", "type": "function", "function": {"name": tool, "arguments": arguments}}
    return _completion({"role": "assistant", "content": None, "tool_calls": [made]}, finish, model)


def _completion(message: dict[str, Any], finish: str, model: str) -> Reply:
    body = {
        "id": "completion",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return Reply(json.dumps(body).encode())


class ModelServer:
    """Serves replies in order; the last one again and again. A context manager."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        """Bodies of the requests, in order."""
        self.keys: list[str] = []
        """The Authorization or api-key header of each."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False

    @property
    def url(self) -> str:
        """Where it answers; the OpenAI client's base URL is this with `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, body: dict[str, Any], key: str) -> Reply:
        with self._lock:
            self.requests.append(body)
            self.keys.append(key)
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = server._take(sent, self.headers.get("api-key") or self.headers.get("Authorization") or "")
                if reply.hangs:
                    server._closing.wait()
                    return
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler
