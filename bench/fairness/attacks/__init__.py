"""All attacks by name, in the order in which they are tried."""

import asyncio
from collections.abc import Awaitable, Callable

from bench.fairness.attacks import files, http, sockets
from bench.fairness.attacks.attack import Attack

NOTHING = "nothing"


async def nothing(attack: Attack) -> None:
    """Do nothing, which shows how much the figures vary by themselves."""
    while attack.goes_on:  # noqa: ASYNC110 - time is all it waits for
        await asyncio.sleep(0.1)


ATTACKS: dict[str, tuple[str, Callable[[Attack], Awaitable[None]]]] = {
    NOTHING: ("no attack: how much the figures vary", nothing),
    "control-frames": ("pings, as fast as 10 sockets take them", sockets.control_frames),
    "fragments": ("empty continuation frames, as fast as 10 sockets take them", sockets.fragments),
    "small-operations": ("`ping` operations, as fast as 10 sockets take them", sockets.small_operations),
    "malformed-frames": ("frames that are not JSON, as fast as 10 sockets take them", sockets.malformed_frames),
    "big-wrong-frames": ("`file.upload` of 7 MiB in a wrong shape", sockets.big_wrong_frames),
    "typing": ("`room.typing` in a room of everybody, 20 sockets at the allowed rate", sockets.typing),
    "reactions": ("`message.react` in a room of everybody, 20 sockets at the rate", sockets.reactions),
    "messages": ("`message.send` in a room of everybody, 20 sockets at the rate", sockets.messages),
    "room-enter": ("`room.enter`, 20 sockets at the rate", sockets.room_enter),
    "message-list": ("`message.list` of 200 deep messages, 20 sockets at the rate", sockets.message_list),
    "presence": ("`presence.watch` of everybody, 20 sockets at the rate", sockets.presence),
    "unread-answers": ("pages on 20 sockets that do not read", sockets.unread),
    "opened-sockets": ("sockets, opened and closed at `ready`", sockets.opened_and_closed),
    "deep-history": ("pages of 200 deep messages by HTTP", http.deep_history),
    "search": ("searches for a word that no message has", http.search),
    "room-lists": ("the list of all rooms by HTTP", http.room_lists),
    "names": ("searches for names of people", http.names),
    "guesses": ("wrong passwords for the names of ordinary people", http.guesses),
    "sprayed-sign-ins": ("sign-ins with names that nobody has", http.sprayed_sign_ins),
    "sign-ups": ("new accounts", http.sign_ups),
    "animations": ("GIFs of 450 frames", files.animations),
    "large-pictures": ("PNGs of 49 megapixels", files.large_pictures),
    "small-uploads": ("uploads of 1 KB", files.small_uploads),
    "slow-uploads": ("20 uploads of a byte in 100 ms", files.slow_uploads),
    "downloads": ("downloads of 8 MiB", files.downloads),
    "invitations": ("removals from a room, and invitations of everybody", http.invitations),
    "rooms": ("new rooms with everybody in them", http.rooms),
}
"""A description and the function of each. `rooms` is the last, because it leaves everybody with many rooms."""
