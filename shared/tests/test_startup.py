"""A process collects no garbage while it imports its modules, and does once it serves or runs a command."""

import subprocess
import sys

import pytest

from shared.testing.servers import free_port

PROGRAM = """
import gc, os, signal, sys
import shared.startup
assert not gc.isenabled()
from contextlib import asynccontextmanager
from pathlib import Path
from fastapi import FastAPI
from shared.command_line import run_command
from shared.settings import Settings

@asynccontextmanager
async def lifespan(app):
    print("serves", gc.isenabled())
    os.kill(os.getpid(), signal.SIGTERM)
    yield

def command(settings):
    return f"runs {gc.isenabled()}"

assert not gc.isenabled()
class ServiceSettings(Settings):
    service = "auth"

settings = ServiceSettings(service_secret="s" * 40, listen_port=sys.argv.pop(1))
run_command(settings, lambda settings: FastAPI(lifespan=lifespan), Path(), {"report": command})
"""


@pytest.mark.parametrize(("arguments", "printed"), [((), "serves True"), (("report",), "runs True")])
def test_garbage_is_collected_from_the_start_of_the_work(arguments: tuple[str, ...], printed: str):
    command = [sys.executable, "-P", "-c", PROGRAM, str(free_port()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert printed in done.stdout.splitlines(), done.stderr
