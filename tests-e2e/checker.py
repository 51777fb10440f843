"""What readers must have seen, whatever broke: acknowledged = stored once, one order for all, no gap, no repeat."""

from collections.abc import Mapping, Sequence

from people import Frame, Person


def check_reader(events: Sequence[Frame], cursor: int) -> None:
    """One connection's events of a room, after the version it started from."""
    versions = [event["version"] for event in events]
    assert versions == list(range(cursor + 1, cursor + 1 + len(versions))), "a gap, a repeat, or another order"


async def stored(person: Person, room_id: str) -> list[Frame]:
    """All messages of the room, from the database."""
    messages: list[Frame] = []
    choice: dict[str, int] = {"limit": 200}
    while True:
        page = await person.messages(room_id, **choice)
        messages = page["items"] + messages
        if not page["has_more"]:
            return messages
        choice["before"] = messages[0]["seq"]


async def check_room(
    person: Person, room_id: str, acked: Mapping[str, int], readers: Sequence[Sequence[Frame]]
) -> None:
    """`acked`: client_id → seq of what was acknowledged; `readers`: the events of each."""
    messages = await stored(person, room_id)
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    by_client_id = {message["client_id"]: message["seq"] for message in messages}
    assert len(by_client_id) == len(messages), "a message is stored twice"
    lost = {client_id for client_id, seq in acked.items() if by_client_id.get(client_id) != seq}
    assert not lost, f"{len(lost)} acknowledged messages are lost or elsewhere"
    for events in readers:
        created = [(e["client_id"], e["seq"]) for e in events if e["op"] == "message.created"]
        wanted = [(m["client_id"], m["seq"]) for m in messages]
        assert created == wanted[-len(created) :], "a reader saw another history"
        assert created[-1:] == wanted[-1:], "a reader is incomplete"
