"""What real nodes need around them, without any node: images and their registry, ways through the border, settings."""

import asyncio
import hashlib
import io
import json
import os
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from tools import oci

from interlock.lab import LabError
from interlock.lab.files import write_files
from interlock.lab.kubelet.images import ImageTable
from interlock.lab.layout import Layout
from interlock.lab.nodes import cgroups, real_nodes_possible
from interlock.lab.nodes.archives import Archives, names_in
from interlock.lab.nodes.border import NoSuchName
from interlock.lab.nodes.configuration import Node, write_configuration
from interlock.lab.nodes.images import PAUSE
from interlock.lab.nodes.place import Place, address, node_names
from interlock.lab.nodes.registry import Shelf, serve
from interlock.lab.nodes.tunnel import connect_proxy, from_port_to_socket, from_socket_to_port
from interlock.lab.plan import components
from interlock.lab.ports import Ports
from interlock.lab.state import Description
from interlock.lab.tools import NodeTools

PROGRAM = b"\x7fELF of the program"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    archives = tmp_path_factory.mktemp("archives")
    layers = [oci.layer([(Path(__file__), PurePosixPath("/opt/file"))])]
    oci.write(oci.Image(layers, ["/opt/file"], {}, "65532", "amd64"), "ours/operator:1.0", archives / "operator.tar")
    with serve(Shelf(ImageTable.load(), PROGRAM, Archives(archives)), 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v2"
        server.shutdown()


def get(url: str, **headers: str) -> HTTPResponse:
    answer: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers))
    return answer


def refused(url: str) -> urllib.error.HTTPError:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        get(url)
    return refusal.value


def files_of(registry: str, image: str, host: str) -> dict[str, bytes]:
    repository, _, tag = image.rpartition(":")
    manifest = json.load(get(f"{registry}/{repository}/manifests/{tag}?ns={host}"))
    found: dict[str, bytes] = {}
    for layer in manifest["layers"]:
        content = get(f"{registry}/{repository}/blobs/{layer['digest']}?ns={host}").read()
        assert len(content) == layer["size"]
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            found |= {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]
    return found


def test_an_image_holds_the_program_and_what_the_table_says_of_its_tag(registry: str) -> None:
    files = files_of(registry, "shop/catalogue:0.9.5", "registry.example")
    assert files["program"] == PROGRAM
    behaviour = json.loads(files["behaviour.json"])
    assert behaviour["crash"]["exit_code"] == 2
    assert behaviour["listens"] == [8080]


def test_what_the_cluster_is_told_of_an_image_does_not_tell_how_it_behaves(registry: str) -> None:
    configs = []
    for tag in ("0.9.4", "0.9.5"):
        manifest = json.load(get(f"{registry}/shop/catalogue/manifests/{tag}?ns=registry.example"))
        url = f"{registry}/shop/catalogue/blobs/{manifest['config']['digest']}?ns=registry.example"
        configs.append(json.load(get(url))["config"])
    assert configs[0] == configs[1]


def test_a_task_listens_nowhere_and_an_unknown_program_where_most_do(registry: str) -> None:
    task = json.loads(files_of(registry, "shop/report:1.0.2", "registry.example")["behaviour.json"])
    unknown = json.loads(files_of(registry, "library/nginx:latest", "docker.io")["behaviour.json"])
    assert (task["listens"], unknown["listens"]) == ([], [80, 8080])


def test_a_manifest_is_found_by_the_digest_that_its_tag_was_answered_with(registry: str) -> None:
    by_tag = get(f"{registry}/shop/catalogue/manifests/0.9.4?ns=registry.example")
    digest = by_tag.headers["Docker-Content-Digest"]
    assert get(f"{registry}/shop/catalogue/manifests/{digest}?ns=registry.example").read() == by_tag.read()


def test_a_tag_that_nobody_pushed_and_a_part_that_nobody_asked_for_are_not_found(registry: str) -> None:
    assert refused(f"{registry}/shop/catalogue/manifests/0.9.40?ns=registry.example").code == 404
    assert refused(f"{registry}/shop/catalogue/blobs/sha256:{'0' * 64}?ns=registry.example").code == 404


def test_an_archive_gives_its_images_by_name_and_by_digest_and_all_their_parts(registry: str) -> None:
    url = f"{registry}/ours/operator/manifests"
    answer = get(f"{url}/1.0?ns=docker.io")
    content, digest = answer.read(), answer.headers["Docker-Content-Digest"]
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert answer.headers["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"
    assert get(f"{url}/{digest}?ns=docker.io").read() == content
    manifest = json.loads(content)
    for part in (manifest["config"], *manifest["layers"]):
        found = get(f"{registry}/ours/operator/blobs/{part['digest']}?ns=docker.io").read()
        assert part["digest"] == f"sha256:{hashlib.sha256(found).hexdigest()}"


def test_an_archive_names_no_image_of_another_registry_or_tag(registry: str) -> None:
    for image, host in (("ours/operator/manifests/1.0", "quay.io"), ("ours/other/manifests/1.0", "docker.io")):
        answer = json.load(get(f"{registry}/{image}?ns={host}"))
        assert len(answer["layers"]) == 2, "what the lab makes of an image that nobody knows"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.tar"
    wrong.write_text("no tar")
    with pytest.raises(LabError, match=r"notes\.tar is no OCI archive"):
        names_in(wrong)
    with pytest.raises(LabError, match=r"gone\.tar is no OCI archive"):
        names_in(tmp_path / "gone.tar")


def test_a_private_image_is_given_to_those_only_who_say_who_they_are(registry: str) -> None:
    url = f"{registry}/partners/billing/manifests/5.0.1?ns=registry.example"
    refusal = refused(url)
    assert (refusal.code, refusal.headers["WWW-Authenticate"]) == (401, 'Basic realm="lab"')
    assert get(url, Authorization="Basic YTpi").status == 200


def test_the_pod_sandbox_is_the_program_at_rest(registry: str) -> None:
    repository, _, tag = PAUSE.removeprefix("registry.k8s.io/").partition(":")
    manifest = json.load(get(f"{registry}/{repository}/manifests/{tag}?ns=registry.k8s.io"))
    config = json.load(get(f"{registry}/{repository}/blobs/{manifest['config']['digest']}?ns=registry.k8s.io"))
    assert config["config"]["Entrypoint"] == ["/program", "pause"]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def _ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], words: bytes) -> bytes:
    reader, writer = streams
    with closing(writer):
        writer.write(words)
        writer.write_eof()
        return await reader.read()


async def test_a_connection_passes_the_border_both_ways(tmp_path: Path) -> None:
    way = tmp_path / "way.sock"
    async with await asyncio.start_server(_echo, "127.0.0.1", 0) as far:
        port = far.sockets[0].getsockname()[1]
        async with await from_socket_to_port(way, port), await from_port_to_socket("127.0.0.1", 0, way) as near:
            entrance = near.sockets[0].getsockname()[1]
            assert await _ask(await asyncio.open_connection("127.0.0.1", entrance), b"ready?") == b"READY?"


async def test_the_api_server_asks_for_an_address_inside_and_is_joined_to_it(tmp_path: Path) -> None:
    way = tmp_path / "way.sock"
    async with await asyncio.start_server(_echo, "127.0.0.1", 0) as far, await connect_proxy(way):
        port = far.sockets[0].getsockname()[1]
        request = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\nlogs".encode()
        answer = await _ask(await asyncio.open_unix_connection(way), request)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\nLOGS"


async def test_an_address_where_nobody_answers_is_a_bad_gateway(tmp_path: Path) -> None:
    way = tmp_path / "way.sock"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        async with await connect_proxy(way):
            request = f"CONNECT 127.0.0.1:{taken.getsockname()[1]} HTTP/1.1\r\n\r\n".encode()
            assert (await _ask(await asyncio.open_unix_connection(way), request)).startswith(b"HTTP/1.1 502 ")


def test_no_name_of_dns_is_known() -> None:
    sent: list[tuple[bytes, Any]] = []

    class Transport(asyncio.DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            sent.append((data, addr))

    question = b"\x08registry\x07invalid\x00" + struct.pack(">HH", 1, 1)
    dns = NoSuchName()
    dns.connection_made(Transport())
    dns.datagram_received(struct.pack(">6H", 77, 0x0100, 1, 0, 0, 1) + question + b"\0\0\x29", ("127.0.0.1", 5))
    (answer, to), *_ = sent
    identifier, flags, *counts = struct.unpack(">6H", answer[:12])
    assert (identifier, flags & 0x8000, flags & 0xF, counts) == (77, 0x8000, 3, [1, 0, 0, 0])
    assert (answer[12:], to) == (question, ("127.0.0.1", 5))


TOOLS = NodeTools(**{name: Path("/tools", name) for name in NodeTools.model_fields})


def description(directory: Path, real_nodes: int) -> Description:
    layout = Layout(directory)
    return Description(
        kubeconfig=layout.kubeconfig,
        audit_log=layout.audit_log,
        tools=Path("/tools"),
        nodes=0 if real_nodes else 3,
        real_nodes=real_nodes,
        node_tools=TOOLS if real_nodes else None,
        monitoring=False,
        ports=Ports.free(),
        owner=None,
    )


def test_real_nodes_take_the_place_of_simulated_ones(tmp_path: Path) -> None:
    def plan(real_nodes: int) -> dict[str, tuple[str, ...]]:
        return {one.name: one.argv for one in components(Layout(tmp_path), description(tmp_path, real_nodes))}

    simulated, real = plan(0), plan(2)
    assert set(simulated) - set(real) == {"kwok", "kubelet"}
    assert set(real) - set(simulated) == {"nodes"}
    assert any(word.startswith("--egress-selector-config-file=") for word in real["kube-apiserver"])
    assert not any(word.startswith("--egress-selector-config-file=") for word in simulated["kube-apiserver"])


def test_each_node_speaks_for_itself_and_the_api_server_finds_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make_folders()
    write_files(layout, description(tmp_path, 2))
    users = [yaml.safe_load(layout.identity(name).read_text())["users"][0]["name"] for name in node_names(2)]
    assert users == ["system:node:node-1", "system:node:node-2"]
    egress = yaml.safe_load(layout.config("egress.yaml").read_text())["egressSelections"][0]
    assert egress["connection"]["transport"]["uds"]["udsName"] == str(Place(tmp_path).to_nodes)


def test_nodes_share_nothing_that_two_cannot_have(tmp_path: Path) -> None:
    told = []
    for number, name in enumerate(node_names(2), start=1):
        node = Node(Layout(tmp_path), name, number, f"/group/{name}", TOOLS)
        node.folder.mkdir(parents=True)
        write_configuration(node)
        kubelet = yaml.safe_load(node.kubelet_config.read_text())
        network = json.loads((node.folder / "cni" / "10-bridge.conflist").read_text())["plugins"][0]["ipam"]["ranges"]
        told.append((kubelet["address"], kubelet["cgroupRoot"], network[0][0]["rangeStart"], node.folder))
        assert not kubelet["authentication"]["anonymous"]["enabled"]
        assert kubelet["authentication"]["x509"]["clientCAFile"] == str(tmp_path / "pki" / "internal-ca.crt")
    for first, second in zip(*told, strict=True):
        assert first != second
    assert told[0][0] == address(1)


def test_a_lab_says_why_it_cannot_have_real_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert real_nodes_possible() == "they need root"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert real_nodes_possible() == "there is no unshare on PATH"


def test_groups_of_living_processes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    script = "print(flush=True); input()"  # what a lab's process is known by
    command = [sys.executable, "-c", script, "interlock.lab.nodes.outside"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        names = ("interlock-4194999", f"interlock-{os.getpid()}", f"interlock-{holder.pid}", "interlock-ours")
        gone, stranger, lives, other = (tmp_path / "memory" / name for name in names)
        for folder in (gone / "node-1" / "pods", stranger, lives, other):
            folder.mkdir(parents=True)
        assert cgroups.remove_left()
        assert sorted((tmp_path / "memory").iterdir()) == sorted([lives, other])
        holder.stdin.write(b"\n")
