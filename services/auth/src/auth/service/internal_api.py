"""Requests of the other services: tokens, active sessions, accounts."""

import hmac
import time

from auth.service.dependencies import Dependencies
from auth.service.key_ring import SERVICE_TOKEN_S
from auth.service.sessions import KEPT_MS, OVERLAP_MS
from auth.storage.revocations import list_revocations as stored_revocations
from auth.storage.sessions import users_of_sessions
from auth.storage.users import list_accounts as stored_accounts
from shared.contracts.auth import Accounts, ActiveSessions, Revocations, ServiceToken, ServiceTokenRequest
from shared.errors import Invalid, Unauthenticated
from shared.ids import is_id, now_ms
from shared.logging.audit import audit
from shared.settings import SERVICES

MAX_IDS = 1000
MAX_REVOCATIONS = 2000


def issue_token(deps: Dependencies, request: ServiceTokenRequest) -> ServiceToken:
    secret = deps.secret_of(request.service)
    # for an unknown service, compare with a secret that nobody has: it takes as long as a wrong secret
    right = hmac.compare_digest((secret or "\x00" * 32).encode(), request.secret.encode())
    if not right or not secret:
        audit("service-token", outcome="failure", reason="wrong secret" if secret else "no such service")
        raise Unauthenticated("The service or its secret is wrong.")
    if request.audience not in SERVICES:
        raise Invalid("There is no such audience.", errors={"audience": "is not a service"})
    expires_at = time.time() + SERVICE_TOKEN_S
    return ServiceToken(deps.keys.service_token(request.service, request.audience), expires_at)


def _ids(ids: list[str], field: str) -> list[str]:
    """Return the well-formed ids, each once; raises Invalid if there are too many."""
    if len(ids) > MAX_IDS:
        raise Invalid("There are too many ids.", errors={field: f"at most {MAX_IDS}"})
    return [one for one in dict.fromkeys(ids) if is_id(one)]


async def check_sessions(deps: Dependencies, session_ids: list[str]) -> ActiveSessions:
    """Return the active sessions among these, always from the table."""
    wanted, now = _ids(session_ids, "session_ids"), now_ms()
    return ActiveSessions(await deps.database.snapshot(lambda db: users_of_sessions(db, wanted, now)))


async def list_revocations(deps: Dependencies, since: int) -> Revocations:
    """Return the sessions that were revoked since then, always from the table.

    A transaction may commit some seconds after the time that it wrote, and the clocks of replicas differ. So sessions
    that were revoked shortly before `since` are returned again.
    """
    now = now_ms()
    first, oldest = since or now, now - KEPT_MS
    read_from = max(first, oldest) - OVERLAP_MS
    found = await deps.database.snapshot(lambda db: stored_revocations(db, read_from, MAX_REVOCATIONS + 1))
    complete = len(found) <= MAX_REVOCATIONS and first >= oldest
    return Revocations(found[:MAX_REVOCATIONS], until=now, complete=complete)


async def list_accounts(deps: Dependencies, user_ids: list[str]) -> Accounts:
    async with deps.database.read() as db:
        return Accounts(await stored_accounts(db, _ids(user_ids, "user_ids")))
