"""The promises of the README: its script runs, and the API documents are served and up to date."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from stack import Stack

from auth.settings import AuthSettings
from chat_gateway.settings import GatewaySettings
from media.settings import MediaSettings
from ops.settings import OpsSettings
from rooms.settings import RoomsSettings
from shared.settings import WebSettings
from social.settings import SocialSettings

ROOT = Path(__file__).parents[1]


def test_the_script_of_the_readme_runs(stack: Stack, tmp_path: Path):
    [script] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "hello.py"
    file.write_text(script)
    answer = subprocess.run(
        [sys.executable, str(file)], env=os.environ | {"WEBCHAT_URL": stack.url},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    lines = [line.strip() for line in answer.stdout.splitlines()]
    assert lines[0] == "ready"
    assert sorted(lines[1:]) == ["message.created 안녕!", "ok"]


def test_the_documents_are_up_to_date():
    answer = subprocess.run(
        [sys.executable, "snapshots.py", "--check"],
        cwd=ROOT / "deploy" / "docs",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "settings",
    [AuthSettings, SocialSettings, RoomsSettings, MediaSettings, GatewaySettings, OpsSettings],
    ids=lambda cls: cls.service,
)
def test_every_setting_is_in_the_example(settings: type[WebSettings]):
    example = (ROOT / ".env.example").read_text()
    assert [
        name for name in settings.model_fields if f"#{name.upper()}=" not in example and name != "service_secret"
    ] == []


def test_the_documents_are_served(stack: Stack):
    with httpx.Client(base_url=stack.url) as client:
        page = client.get("/docs")
        assert page.status_code == 200
        assert "unsafe" not in page.headers["content-security-policy"]
        openapi = client.get("/openapi.json").json()
        assert {"/api/auth/signup", "/api/social/following", "/api/rooms/{room_id}/messages"} <= openapi["paths"].keys()
        assert not [path for path in openapi["paths"] if "internal" in path]
        asyncapi = client.get("/asyncapi.json").json()
        assert "client.message.send" in asyncapi["channels"]["socket"]["messages"]
        assert client.get("/api/version").json() == {"version": openapi["info"]["version"]}
