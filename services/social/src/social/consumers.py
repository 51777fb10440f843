"""Handlers of events from auth."""

from shared.contracts.auth import Account
from shared.events.auth import AuthEvent, UserClosed
from social.service.accounts import close, register
from social.service.dependencies import Dependencies


async def on_auth(deps: Dependencies, event: AuthEvent) -> None:
    """Idempotent. A late event changes nothing: it does not replace a row that exists."""
    if isinstance(event, UserClosed):
        await close(deps, event)
        return
    account = Account(
        user_id=event.user_id, webchat_id=event.webchat_id, display_name=event.display_name, version=event.version
    )
    await register(deps, [account])
