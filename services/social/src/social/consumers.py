"""What social does with the facts of auth."""

from shared.contracts.auth import Account
from shared.events.auth import AuthEvent, UserClosed
from social.service.closing import close
from social.service.dependencies import Dependencies
from social.service.known import register


async def on_auth(deps: Dependencies, event: AuthEvent) -> None:
    """Handled twice or late, an event changes nothing: a row that exists stays, and a closed one for ever."""
    if isinstance(event, UserClosed):
        await close(deps, event)
        return
    account = Account(
        user_id=event.user_id, webchat_id=event.webchat_id, display_name=event.display_name, version=event.version
    )
    await register(deps, [account])
