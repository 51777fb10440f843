"""Use cases of accounts: signing up, changing the password, closing."""

from sqlalchemy.exc import IntegrityError

from auth.domain.accounts import ActiveSession, OpenAccount
from auth.domain.passwords import check_password, normal_form
from auth.service.dependencies import Dependencies
from auth.service.sessions import Device, NewSession, begin_session, end_replaced, end_sessions
from auth.service.throttle import by_session
from auth.storage import users
from auth.storage.sessions import Revoked, revoke_session, revoke_sessions
from shared.contracts.auth import User
from shared.database.engine import Db
from shared.errors import Conflict, Forbidden, Invalid, Unauthenticated
from shared.events.auth import UserClosed, UserRegistered
from shared.ids import new_id, now_ms
from shared.logging.audit import Action, audit
from shared.outbox.table import record_events

_TAKEN = {"webchat_id": "this WebChat ID is taken", "email": "this address already has an account"}
WRONG_LOGIN = "The login or the password is wrong."


def public_view(user: OpenAccount) -> User:
    """Return the account as its user sees it."""
    return User(user_id=user.user_id, email=user.email, webchat_id=user.webchat_id, display_name=user.display_name)


async def is_available(deps: Dependencies, webchat_id: str, address: str) -> bool:
    await deps.throttle.available(address)
    async with deps.database.read() as db:
        return not await users.taken_names(db, webchat_id, "")


async def sign_up(
    deps: Dependencies, *, email: str, webchat_id: str, display_name: str, password: str, device: Device
) -> tuple[User, NewSession]:
    """Open an account and sign in to it. `email` and `webchat_id` are in canonical form."""
    await deps.throttle.sign_up(device.address)
    password = _acceptable(password, "password", webchat_id, email)
    async with deps.database.read() as db:
        _check_free(await users.taken_names(db, webchat_id, email))
    new = OpenAccount(
        user_id=new_id(),
        email=email,
        webchat_id=webchat_id,
        display_name=display_name,
        password_hash=await deps.hasher.hash(password, origin=device.address),
        version=1,
    )
    try:
        session = await deps.database.transact(lambda db: _open_account(deps, db, new, device))
    except IntegrityError:
        async with deps.database.read() as db:
            _check_free(await users.taken_names(db, webchat_id, email))
        raise
    audit("sign-up", user_id=new.user_id, address=device.address)
    await end_replaced(deps, device, session.session)
    deps.relay.wake()
    return public_view(new), session


def _acceptable(password: str, field: str, webchat_id: str, email: str) -> str:
    try:
        return check_password(password, webchat_id, email)
    except ValueError as error:
        raise Invalid("This password is not acceptable.", errors={field: str(error)}) from error


def _check_free(taken: set[str]) -> None:
    if taken:
        raise Conflict("There is already such an account.", errors={name: _TAKEN[name] for name in sorted(taken)})


async def _open_account(deps: Dependencies, db: Db, new: OpenAccount, device: Device) -> NewSession:
    now = now_ms()
    await users.insert_user(db, new, now)
    event = UserRegistered(
        user_id=new.user_id, webchat_id=new.webchat_id, display_name=new.display_name, version=new.version, at=now
    )
    await record_events(db, event)
    return await begin_session(deps, db, new.user_id, device)


async def check_unchanged(db: Db, user: OpenAccount) -> None:
    """Lock the account; raises Unauthenticated unless it is open and has the password that was verified."""
    now = await users.find_user(db, user.user_id, lock=True)
    if now is None or now.password_hash != user.password_hash:
        raise Unauthenticated(WRONG_LOGIN)


async def rename(deps: Dependencies, user_id: str, display_name: str, version: int) -> None:
    """Copy the name of the profile. Names older than the known one are ignored."""
    await deps.database.transact(lambda db: users.set_display_name(db, user_id, display_name, version))


async def sign_out(deps: Dependencies, current: ActiveSession) -> None:
    await end_sessions(deps, current.user_id, lambda db: revoke_session(db, current.user_id, current.session_id))
    audit("sign-out", user_id=current.user_id)


async def get_user(deps: Dependencies, current: ActiveSession) -> User:
    async with deps.database.read() as db:
        user = await users.find_user(db, current.user_id)
    if user is None:
        raise Unauthenticated("Sign in first.")
    return public_view(user)


async def is_operator(deps: Dependencies, user_id: str) -> bool:
    """Return whether the user may see /ops."""
    if not deps.operators:
        return False
    async with deps.database.read() as db:
        user = await users.find_user(db, user_id)
    return user is not None and user.webchat_id in deps.operators


async def _check_password_again(
    deps: Dependencies, current: ActiveSession, field: str, password: str, action: Action
) -> OpenAccount:
    """Return the session's account after checking its password; raises Forbidden if it is wrong."""
    bucket = by_session(current.user_id)
    await deps.throttle.password(bucket)
    async with deps.database.read() as db:
        user = await users.find_user(db, current.user_id)
    password_hash = user.password_hash if user else None
    right = await deps.hasher.matches(password_hash, normal_form(password), origin=current.user_id)
    if user is None or not right:
        audit(action, outcome="failure", user_id=current.user_id, reason="wrong password")
        error = Forbidden("The password is wrong.", errors={field: "is not your password"})
        error.audited = True
        raise error
    await deps.throttle.reset(bucket)
    return user


async def change_password(deps: Dependencies, current: ActiveSession, current_password: str, new_password: str) -> None:
    """Change the password and end all other sessions."""
    user = await _check_password_again(deps, current, "current_password", current_password, "password-change")
    new_password = _acceptable(new_password, "new_password", user.webchat_id, user.email)
    new_hash = await deps.hasher.hash(new_password, origin=user.user_id)

    async def change(db: Db) -> list[Revoked]:
        await check_unchanged(db, user)
        await users.set_password(db, user.user_id, new_hash)
        return await revoke_sessions(db, user.user_id, but=current.session_id)

    await end_sessions(deps, user.user_id, change)
    audit("password-change", user_id=user.user_id)


async def close_account(deps: Dependencies, current: ActiveSession, password: str) -> None:
    """Close the account and remove personal data. The WebChat ID stays taken."""
    confirmed, now = await _check_password_again(deps, current, "password", password, "account-close"), now_ms()
    user_id, version = confirmed.user_id, confirmed.version + 1

    async def close(db: Db) -> list[Revoked]:
        await check_unchanged(db, confirmed)
        await users.anonymise_user(db, user_id, version, now)
        await record_events(db, UserClosed(user_id=user_id, version=version, at=now))
        return await revoke_sessions(db, user_id)

    await end_sessions(deps, user_id, close)
    audit("account-close", user_id=user_id)
    deps.relay.wake()
