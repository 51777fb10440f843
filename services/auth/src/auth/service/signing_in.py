"""Signing in with a password, and what limits guessing it."""

from auth.domain.accounts import OpenAccount
from auth.domain.identity import login_key
from auth.domain.passwords import normal_form
from auth.service.accounts import WRONG_LOGIN, check_unchanged, public_view
from auth.service.dependencies import Dependencies
from auth.service.sessions import Device, NewSession, begin_session, end_replaced
from auth.service.throttle import by_account, by_device
from auth.storage import users
from shared.contracts.auth import User
from shared.database.engine import Db
from shared.errors import RateLimited, Unauthenticated, Unavailable
from shared.logging.audit import audit


async def sign_in(deps: Dependencies, login: str, password: str, device: Device) -> tuple[User, NewSession]:
    """Create a session.

    Attempts from devices that signed in to the account before are limited one by one, so the right password passes
    there whatever others try. All other attempts are limited together by account, and by address.

    Raises `Unauthenticated`, with the same timing and text for an unknown login and a wrong password.
    """
    key, password = login_key(login), normal_form(password)
    async with deps.database.read() as db:
        user = await users.find_by_login(db, key)
    mark = deps.devices.find(device.cookie, user.user_id if user else "")
    bucket = by_account(user.user_id if user else None, key) if mark is None else by_device(mark)
    try:
        if mark is None:
            await deps.throttle.unknown_device(device.address)
        await deps.throttle.password(bucket)
        if mark is not None and user is not None:
            await deps.throttle.known_device(user.user_id)
    except RateLimited:
        _audit_failure(user, device, "too many attempts")
        raise
    # the known devices of an account do not wait for strangers at their address, and share one place in the queue
    origin = device.address if mark is None or user is None else user.user_id
    try:
        right = await deps.hasher.matches(user.password_hash if user else None, password, origin=origin)
    except Unavailable:  # nobody looked at the password, so it counts as no attempt
        await deps.throttle.forgive_password(bucket)
        if mark is None:
            await deps.throttle.forgive(device.address)
        raise
    if user is None or not right:
        _audit_failure(user, device, "wrong password" if user else "no such account")
        raise Unauthenticated(WRONG_LOGIN)
    session = await _begin(deps, user, password, device, origin)
    audit("sign-in", user_id=user.user_id, address=device.address)
    await end_replaced(deps, device, session.session)
    await deps.throttle.reset(bucket)
    if mark is None:
        await deps.throttle.forgive(device.address)
    return public_view(user), session


async def _begin(deps: Dependencies, user: OpenAccount, password: str, device: Device, origin: str) -> NewSession:
    fresh = user.password_hash
    if deps.hasher.is_outdated(fresh):
        fresh = await deps.hasher.hash(password, origin=origin)

    async def begin(db: Db) -> NewSession:
        await check_unchanged(db, user)
        if fresh != user.password_hash:
            await users.set_password(db, user.user_id, fresh)
        return await begin_session(deps, db, user.user_id, device)

    try:
        return await deps.database.transact(begin)
    except Unauthenticated:
        _audit_failure(user, device, "the account changed meanwhile")
        raise


def _audit_failure(user: OpenAccount | None, device: Device, reason: str) -> None:
    """Audit a failed sign-in, without the typed login: people type passwords there by mistake."""
    user_id = user.user_id if user else ""
    audit("sign-in", outcome="failure", user_id=user_id, address=device.address, reason=reason)
