"""The numbers of a gateway: its sockets and rooms, what it delivers and how late, its lanes, and what it refuses."""

from chat_gateway.protocol.errors import CloseCode
from shared import metrics

SOCKETS = metrics.gauge("webchat_sockets", "Open sockets, those without a `ready` among them.")
CONNECTIONS = metrics.gauge("webchat_connections", "Connections that said hello.")
USERS = metrics.gauge("webchat_users", "People with a connection here.")
ROOMS = metrics.gauge("webchat_hub_rooms", "Rooms that somebody here reads.")

RECEIVED = metrics.ReadCounter("webchat_events_received_total", "Events of rooms that came in, each once.")
DELIVERED = metrics.ReadCounter("webchat_events_delivered_total", "Events of rooms written, once for each socket.")
FANOUT_LAG = metrics.histogram(
    "webchat_fanout_lag_seconds",
    "From an event's commit to its last socket here: the oldest of what is written in one turn of the loop.",
)

LANE_DEPTH = metrics.gauge("webchat_lane_depth_commands", "Commands that wait in all lanes.")
DEEPEST_LANE = metrics.gauge("webchat_lane_deepest_commands", "Commands that wait in the fullest lane.")
LANE_BATCH = metrics.histogram(
    "webchat_lane_batch_commands", "Commands that a lane sends in one request.", buckets=metrics.SIZES
)
LANE_REQUESTS = metrics.histogram("webchat_lane_request_seconds", "A lane's batch, until its outcome is known.")
LANE_UNKNOWN = metrics.counter("webchat_lane_unknown_total", "Commands whose outcome stayed unknown.")

STARTS = metrics.Children(
    metrics.counter("webchat_starts_total", "Connections that began: fresh, or resumed with versions.", ["kind"]),
    [("fresh",), ("resumed",)],
)
RESETS = metrics.counter("webchat_room_resets_total", "Rooms that a connection has to read anew.")
REPAIRS = metrics.counter("webchat_room_repairs_total", "Rooms read from the log for what a gateway may have missed.")
LOST = metrics.counter("webchat_subscriptions_lost_total", "Times that subscriptions broke, or came back.")
CLOSED = metrics.Children(
    metrics.counter("webchat_sockets_closed_total", "Sockets that the gateway closed, and why.", ["reason"]),
    [(code.name.lower(),) for code in CloseCode],
)
ERRORS = metrics.Children(metrics.counter("webchat_socket_errors_total", "Frames answered with an error.", ["code"]))
