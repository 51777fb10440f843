"""Rules for following and blocking. A block ends the follows in both directions and prevents new ones."""

from collections.abc import Collection

from shared.errors import Conflict, Forbidden, Invalid, NotFound

MAX_FOLLOWING = 2000


def check_other(me: str, other: str) -> None:
    if me == other:
        raise Invalid("You cannot follow or block yourself.", errors={"user_id": "must be someone else"})


def check_open(open_people: Collection[str], me: str, other: str) -> None:
    """Check that both accounts are open: a token may outlive its account by up to a minute."""
    if me not in open_people or other not in open_people:
        raise NotFound("There is no such person.")


def check_can_follow(me: str, blockers: Collection[str], following: int) -> None:
    """Check a follow. `blockers` are those of the two who blocked the other; `following` counts existing follows."""
    if me in blockers:
        raise Conflict("You blocked this person. Unblock them first.")
    if blockers:
        raise Forbidden("You cannot follow this person.")
    if following >= MAX_FOLLOWING:
        raise Conflict(f"You already follow {MAX_FOLLOWING} people, which is the limit.")
