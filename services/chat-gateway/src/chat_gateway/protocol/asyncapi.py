"""The AsyncAPI 3 document of the WebSocket protocol, generated from the types of the frames."""

from typing import Any

import msgspec

from chat_gateway.protocol.frames import REPLIES, SERVER_FRAMES, AnyFrame, Hello
from chat_gateway.protocol.limits import SUBPROTOCOL
from shared.events.rooms import RoomEvent

REF = "#/components/schemas/{name}"


def asyncapi_document(version: str, description: str) -> dict[str, Any]:
    """Return the document. `description` is the introduction of the protocol's documentation."""
    sent: list[Any] = [Hello, *(frame for frame in AnyFrame.__args__ if frame is not Hello)]
    received: list[Any] = [*SERVER_FRAMES, *RoomEvent.__args__]
    _, components = msgspec.json.schema_components([*sent, *received, *REPLIES.values()], ref_template=REF)
    components["Ok"] = _any_reply(components)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": f"WebChat {SUBPROTOCOL}", "version": version, "description": description},
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/api/chat/ws",
                "description": f"One WebSocket per client, subprotocol {SUBPROTOCOL}, text frames.",
                "messages": {_op(frame): _reference(frame) for frame in [*sent, *received]},
            }
        },
        "operations": {
            "fromClient": _operation("receive", "Frames from the client", sent),
            "fromServer": _operation("send", "Frames from the server", received),
        },
        "components": {
            "messages": {_op(frame): _message(frame) for frame in [*sent, *received]},
            "schemas": components,
        },
    }


def _any_reply(components: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of `Ok` with the fields of all replies, for clients that read them alike."""
    names = [reply.__name__ for reply in REPLIES.values()]
    fields = {name: field for reply in names for name, field in components[reply]["properties"].items()}
    replies = {str(frame.__struct_config__.tag): REF.format(name=reply.__name__) for frame, reply in REPLIES.items()}
    return {**components["Ok"], "properties": fields, "x-replies": replies}


def _op(frame: Any) -> str:
    """Return a frame's key in the document. The direction is needed for `room.typing`, which has both."""
    direction = "client" if frame in AnyFrame.__args__ else "server"
    return f"{direction}.{frame.__struct_config__.tag}"


def _reference(frame: Any) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{_op(frame)}"}


def _message(frame: Any) -> dict[str, Any]:
    return {
        "name": str(frame.__struct_config__.tag),
        "summary": (frame.__doc__ or "").strip().partition("\n")[0],
        "payload": {"$ref": REF.format(name=frame.__name__)},
    }


def _operation(action: str, title: str, frames: list[Any]) -> dict[str, Any]:
    return {
        "action": action,
        "title": title,
        "channel": {"$ref": "#/channels/socket"},
        "messages": [{"$ref": f"#/channels/socket/messages/{_op(frame)}"} for frame in frames],
    }
