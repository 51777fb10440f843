"""`python -m embedded trace`: send one message and print its trace, from nginx to the sockets and back."""

import asyncio
import hashlib
import hmac
import secrets
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing

from embedded import credentials
from embedded.console import BOLD, PLAIN
from embedded.failures import CannotRun
from embedded.folder import DataFolder
from embedded.seed.client import Account
from embedded.seed.dataset import Person
from embedded.settings import Settings
from embedded.supervision import Supervisor
from embedded.trace.send import Sent, send_one
from embedded.trace.timeline import Step, build_steps, load_lines, table

EXPECTED = {"nginx", "message.send", "rooms.commands", "commit", "publish", "deliver"}
SOCKETS = 2
LOG_TIMEOUT_S = 10.0
"""A span is logged when it ends, and nginx's when the socket is closed."""


def trace(settings: Settings) -> int:
    """Print the trace. Raises CannotRun if nothing runs, the message does not arrive, or spans are missing."""
    folder = DataFolder(settings.data)
    _check_running(folder)
    trace_id, root = secrets.token_hex(16), secrets.token_hex(8)
    people = _people(credentials.complete(settings.environment, folder.path / "secrets.json"))
    sent = asyncio.run(_send(settings.url, people, f"00-{trace_id}-{root}-01"))
    steps = _collect(folder, trace_id)
    bold, plain = (BOLD, PLAIN) if sys.stdout.isatty() else ("", "")
    print(f"{bold}trace {trace_id}{plain}\n")
    print("\n".join(table(sorted([*steps, *_client_steps(sent)], key=lambda step: step.start_ns), sent.sent_ns)))
    return 0


def _check_running(folder: DataFolder) -> None:
    try:
        with closing(Supervisor(folder)) as supervisor:
            supervisor.processes()
    except OSError as error:
        raise CannotRun(f"no WebChat runs in {folder.path}: start it with `make run`") from error


def _people(own: Mapping[str, str]) -> tuple[Person, Person]:
    """Return the two accounts of this instance, the same every time. Their password derives from the session secret."""
    password = hmac.digest(own["SESSION_SECRET_KEY"].encode(), b"make trace", hashlib.sha256).hex()
    name = f"trace_{hashlib.sha256(password.encode()).hexdigest()[:8]}"
    return (
        Person(f"{name}_a", "make trace, sender", "", password),
        Person(f"{name}_b", "make trace, reader", "", password),
    )


async def _send(url: str, people: tuple[Person, Person], traceparent: str) -> Sent:
    async with AsyncExitStack() as stack:
        accounts = [Account(url, person) for person in people]
        for account in accounts:
            stack.push_async_callback(account.close)
        for account in accounts:
            await account.sign_in()
            stack.push_async_callback(account.sign_out)
        return await send_one(url, accounts[0], accounts[1], traceparent)


def _collect(folder: DataFolder, trace_id: str) -> list[Step]:
    deadline = time.monotonic() + LOG_TIMEOUT_S
    while True:
        steps = build_steps(load_lines(folder.logs, trace_id))
        reached = sum(step.receivers for step in steps)
        missing = EXPECTED - {step.action for step in steps} | ({"deliver to both"} if reached < SOCKETS else set())
        if not missing:
            return steps
        if time.monotonic() > deadline:
            lost = ", ".join(sorted(missing))
            raise CannotRun(f"the message arrived, but these spans were not logged: {lost} (under load only some are)")
        time.sleep(0.1)


def _client_steps(sent: Sent) -> list[Step]:
    """Return the steps that sender and reader observe."""
    return [
        Step(sent.sent_ns, sent.answered_ns - sent.sent_ns, "sender", "sends the message, gets the answer"),
        Step(sent.arrived_ns, None, "reader", "receives the message"),
        Step(sent.answered_ns, None, "sender", "receives the acknowledgement"),
    ]
