"""The content of the images."""

import json
import re
from datetime import datetime

import httpx
import pytest
from containers import Containers, is_healthy, running_image
from dotenv import dotenv_values
from engine import docker, wait_until
from measurements import record

OURS = ("nginx", "auth", "social", "rooms", "media", "chat-gateway", "ops")
PYTHON = OURS[1:]
MOST_BYTES = 250_000_000
COMPILERS = {"cc", "gcc", "g++", "clang", "ld", "as", "make", "rustc", "cargo", "go", "node", "npm", "uv", "git"}
OF_INTRUDERS = {"nc", "netcat", "ncat", "socat", "ssh", "scp", "telnet", "nmap", "tcpdump", "gdb", "strace", "sudo"}
TOOLS = COMPILERS | OF_INTRUDERS
"""Programs that no image needs. The shell, curl in that of nginx and the base image's own tools stay."""
UNPRIVILEGED = {
    "Uid": ["10001"] * 4,
    "Gid": ["10001"] * 4,
    "CapEff": ["0" * 16],
    "CapBnd": ["0" * 16],
    "NoNewPrivs": ["1"],
}
"""The first process in `/proc/1/status`: the four kinds of user and group IDs, and sets of capabilities."""


def inside(image: str, command: str) -> list[str]:
    """Run a shell command in the image as root, so that every folder is readable, and return its lines."""
    return docker("run", "--rm", "--user", "0:0", "--entrypoint", "sh", image, "-c", command).splitlines()


@pytest.mark.parametrize("name", OURS)
def test_images_contain_no_secrets_compilers_or_tests(stack: Containers, name: str):
    image = running_image(stack, name)
    files = inside(image, "find / -xdev -type f -o -xdev -type l | grep -v ^/proc")
    names = {file.rpartition("/")[2] for file in files}
    assert not names & TOOLS
    ours = [file for file in files if file.startswith(("/srv/webchat", "/opt/webchat"))]
    assert ours, "our files were not found"
    assert not [file for file in ours if re.search(r"/(?:tests|testing)/|/\.env$|\.key$|(?<!cacert)\.pem$", file)]
    described = docker("history", "--no-trunc", image) + docker("image", "inspect", image)
    secrets = [value for name, value in dotenv_values(stack.data / ".env").items() if value and len(value) >= 32]
    assert len(secrets) >= 12
    assert not [secret for secret in secrets if secret in described]
    assert inside(image, "grep -rlF -e " + " -e ".join(secrets) + " /srv /opt /etc /tmp || true") == []


@pytest.mark.parametrize("name", OURS)
def test_size_version_and_user(stack: Containers, name: str):
    [image] = json.loads(docker("image", "inspect", running_image(stack, name)))
    assert image["Size"] <= MOST_BYTES
    assert image["Config"]["User"] == "10001:10001"
    version = httpx.get(f"{stack.url}/api/version").json()["version"]
    assert image["Config"]["Labels"]["org.opencontainers.image.version"] == version


@pytest.mark.parametrize("name", OURS)
def test_an_image_has_its_bill_of_materials(stack: Containers, name: str):
    file, package = ("/srv/webchat", "react") if name == "nginx" else ("/opt/webchat", "aiohttp")
    bill = json.loads("".join(inside(running_image(stack, name), f"cat {file}/sbom.cdx.json")))
    assert bill["bomFormat"] == "CycloneDX"
    names = {one["name"] for one in bill["components"]}
    assert package in names
    assert not names & {"pytest", "ruff", "vite", "eslint"}


@pytest.mark.parametrize("name", PYTHON)
def test_healthz_has_the_version(stack: Containers, name: str):
    ask = (
        "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000/healthz', timeout=5).read().decode())"
    )
    answer = json.loads(stack.compose("exec", "--no-TTY", name, "python", "-ISc", ask))
    assert re.fullmatch("[0-9a-f]{16}", answer.pop("instance"))
    assert answer == {"status": "alive", "version": httpx.get(f"{stack.url}/api/version").json()["version"]}


@pytest.mark.parametrize("name", OURS)
def test_a_container_can_only_write_temporary_files(stack: Containers, name: str):
    [container, *_] = stack.replicas(name)
    [state] = json.loads(docker("inspect", container))
    host = state["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", OURS)
def test_the_processes_of_a_container_have_no_privileges(stack: Containers, name: str):
    """Read what the kernel grants, not what the engine was asked for."""
    lines = stack.compose("exec", "--no-TTY", name, "cat", "/proc/1/status").splitlines()
    status = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    assert {key: status[key] for key in UNPRIVILEGED} == UNPRIVILEGED
    files = " ".join(f"{folder}/written" for folder in ("/srv/webchat", "/opt", "/usr/bin", "/etc"))
    command = f"touch {files} 2>/dev/null; ls {files} 2>/dev/null || true"
    assert stack.compose("exec", "--no-TTY", name, "sh", "-c", command).split() == []


@pytest.mark.parametrize("name", PYTHON)
def test_the_start_time_of_a_service_is_measured(stack: Containers, name: str):
    """Measure from the engine's start of the process until it serves, without a limit because of busy machines."""
    [container, *_] = stack.replicas(name)
    docker("restart", container)
    began = docker("inspect", "--format", "{{.State.StartedAt}}", container)

    def served() -> str | None:
        lines = docker("logs", "--timestamps", "--since", began, container).splitlines()
        return next((line.split()[0] for line in lines if "Application startup complete" in line), None)

    wait_until(served, f"{name} serving", 60)
    took = datetime.fromisoformat(str(served())[:26] + "+00:00") - datetime.fromisoformat(began[:26] + "+00:00")
    record(f"{name} serves {took.total_seconds():.1f} s after its start")
    wait_until(lambda: is_healthy(container), f"{name} healthy", 60)
