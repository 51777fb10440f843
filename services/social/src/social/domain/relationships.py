"""Who may follow whom. A block ends both follows, and none begins while it stands."""

from collections.abc import Collection

from shared.errors import Conflict, Forbidden, Invalid, NotFound

MAX_FOLLOWING = 2000


def check_other(me: str, other: str) -> None:
    if me == other:
        raise Invalid("That is you.", errors={"user_id": "must be someone else"})


def check_open(open_people: Collection[str], me: str, other: str) -> None:
    """A token outlives the account that it speaks for by up to a minute."""
    if me not in open_people or other not in open_people:
        raise NotFound("There is no such person.")


def check_can_follow(me: str, blockers: Collection[str], following: int) -> None:
    """`blockers`: who of the two blocked the other."""
    if me in blockers:
        raise Conflict("You blocked this person: unblock first.")
    if blockers:
        raise Forbidden("You cannot follow this person.")
    if following >= MAX_FOLLOWING:
        raise Conflict(f"You follow {MAX_FOLLOWING} people already, which is the most.")
