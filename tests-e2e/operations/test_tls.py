"""TLS at nginx, and at a load balancer in front of it."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from containers import CHECKOUT, Containers, running_image
from engine import docker
from websockets.sync.client import connect

from shared.testing.servers import free_port

ACCOUNT = {"password": "honey-on-warm-paper-7", "display_name": "Tester"}


@contextmanager
def another_nginx(stack: Containers, port: int, *options: str) -> Iterator[None]:
    """Run another nginx for the same services. `port` of this machine is forwarded to one of its two ports."""
    image, name = running_image(stack, "nginx"), f"{stack.project}-nginx-{port}"
    network = ["--network", f"{stack.project}_front"]
    docker("run", "--rm", "--detach", "--name", name, *network, "--env", "RATE_LIMITS=off", *options, image)
    try:
        yield
    finally:
        docker("stop", "--time", "5", name)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"]  # fmt: skip
    subprocess.run(make, check=True, capture_output=True)
    (tmp_path / "key.pem").chmod(0o644)
    tmp_path.chmod(0o755)
    return tmp_path


def until_it_answers(client: httpx.Client) -> httpx.Response:
    deadline = time.monotonic() + 20
    while True:
        try:
            return client.get("/api/version")
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def sign_up(client: httpx.Client, **headers: str) -> httpx.Response:
    name = f"t{time.time_ns() % 10**12}"
    body = ACCOUNT | {"email": f"{name}@example.org", "webchat_id": name}
    answer = client.post("/api/auth/signup", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


def test_tls_ends_at_nginx(stack: Containers, certificate: Path):
    secure, plain = free_port(), free_port()
    trust = ssl.create_default_context(cafile=certificate / "certificate.pem")
    options = ["--volume", f"{certificate}:/run/tls:ro", "--env", "TLS_CERTIFICATE=/run/tls/certificate.pem",
               "--env", "TLS_KEY=/run/tls/key.pem", "--env", f"HTTPS_PORT={secure}",
               "--publish", f"127.0.0.1:{secure}:8443", "--publish", f"127.0.0.1:{plain}:8080"]  # fmt: skip
    with ExitStack() as opened:
        opened.enter_context(another_nginx(stack, secure, *options))
        client = opened.enter_context(httpx.Client(base_url=f"https://localhost:{secure}", verify=trust))
        assert until_it_answers(client).headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "; Secure" in sign_up(client, Origin=f"https://localhost:{secure}").headers["Set-Cookie"]
        cookie = {"Cookie": f"__Host-webchat_session={client.cookies['__Host-webchat_session']}"}
        address = f"wss://localhost:{secure}/api/chat/ws"
        connection = connect(address, ssl=trust, subprotocols=["webchat.v1"], additional_headers=cookie, proxy=None)
        assert opened.enter_context(connection).subprotocol == "webchat.v1"
        moved = httpx.get(f"http://localhost:{plain}/rooms/x?at=1", headers={"Host": "chat.example.org"})
        assert (moved.status_code, moved.headers["Location"]) == (
            308,
            f"https://chat.example.org:{secure}/rooms/x?at=1",
        )
        ask = [
            "curl",
            "--silent",
            "--insecure",
            "--http2",
            "--write-out",
            "\n%{http_version}",
            "https://127.0.0.1:8443/",
        ]
        assert docker("exec", f"{stack.project}-nginx-{secure}", *ask).splitlines()[-1] == "2"
        old = ["openssl", "s_client", "-connect", f"localhost:{secure}", "-tls1_1"]
        assert subprocess.run(old, input=b"", capture_output=True, check=False).returncode != 0


def test_a_trusted_load_balancer_passes_the_address_and_scheme(stack: Containers):
    port = free_port()
    claims = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    options = ["--publish", f"127.0.0.1:{port}:8080", "--env"]
    with another_nginx(stack, port, *options, "TRUSTED_PROXIES=172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"):
        with httpx.Client(base_url=f"http://localhost:{port}") as client:
            until_it_answers(client)
            answer = sign_up(client, Origin=f"https://localhost:{port}", **claims)
            assert "; Secure" in answer.headers["Set-Cookie"]
        assert '"client.ip":"203.0.113.7"' in docker("logs", f"{stack.project}-nginx-{port}")


def test_a_missing_certificate_is_reported_in_one_line(stack: Containers):
    command = ["docker", "run", "--rm", "--env", "TLS_CERTIFICATE=/run/tls/none.pem", running_image(stack, "nginx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == "webchat: cannot read /run/tls/none.pem: TLS_CERTIFICATE and TLS_KEY name files in the container\n"
    )


def test_a_missing_secret_is_reported_in_one_line_before_anything_starts(tmp_path: Path):
    (tmp_path / ".env").touch()
    files = ["--env-file", tmp_path / ".env", "--file", CHECKOUT / "compose.yaml"]
    done = subprocess.run(
        ["docker", "compose", *files, "up", "--no-start"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode != 0
    [line] = done.stderr.strip().splitlines()
    assert "is missing a value: is not set - make env writes a .env with fresh secrets" in line
