"""Probes of a program's port on 127.0.0.1: one request, one second, no retries."""

import http.client
import json
import socket

SECONDS = 1.0


def answers_ping(password: str, port: int) -> bool:
    """Return whether a Redis has loaded its data. While it loads, it answers with an error."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), SECONDS) as connection,
            connection.makefile("rb") as answers,
        ):
            connection.sendall(f"AUTH {json.dumps(password)}\r\nPING\r\n".encode())
            return (answers.readline(), answers.readline()) == (b"+OK\r\n", b"+PONG\r\n")
    except OSError:
        return False


def status_of(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def answers_http(port: int) -> bool:
    return status_of(port, "/") is not None


def is_ready(port: int) -> bool:
    return status_of(port, "/readyz") == http.HTTPStatus.OK


def lives(port: int) -> bool:
    return status_of(port, "/healthz") == http.HTTPStatus.OK


def serves_api(port: int) -> bool:
    return status_of(port, "/api/version") == http.HTTPStatus.OK
