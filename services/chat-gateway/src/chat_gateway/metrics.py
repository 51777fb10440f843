"""The metrics of a gateway: sockets and rooms, delivery and its lag, command queues, and errors."""

from chat_gateway.protocol.errors import CloseCode
from shared import metrics

SOCKETS = metrics.gauge("webchat_sockets", "Open sockets, including those that did not get `ready` yet.")
CONNECTIONS = metrics.gauge("webchat_connections", "Connections that sent hello.")
USERS = metrics.gauge("webchat_users", "Users with a connection here.")
ROOMS = metrics.gauge("webchat_hub_rooms", "Rooms with a reader here.")

RECEIVED = metrics.ReadCounter("webchat_events_received_total", "Events of rooms that were received.")
DELIVERED = metrics.ReadCounter("webchat_events_delivered_total", "Events of rooms written, counted once per socket.")
FANOUT_LAG = metrics.histogram(
    "webchat_fanout_lag_seconds",
    "From the commit of an event to its write to the last socket here: the oldest event of each turn of the loop.",
)

QUEUED_COMMANDS = metrics.gauge("webchat_lane_depth_commands", "Commands waiting in all command queues.")
DEEPEST_QUEUE = metrics.gauge("webchat_lane_deepest_commands", "Commands waiting in the fullest command queue.")
BATCH_COMMANDS = metrics.histogram(
    "webchat_lane_batch_commands", "Commands that a command queue sends in one request.", buckets=metrics.SIZES
)
BATCH_SECONDS = metrics.histogram(
    "webchat_lane_request_seconds", "From sending a batch of commands until its outcome is known."
)
UNKNOWN_OUTCOMES = metrics.counter("webchat_lane_unknown_total", "Commands whose outcome remained unknown.")

STARTS = metrics.Children(
    metrics.counter("webchat_starts_total", "Connections that started: fresh, or resumed with cursors.", ["kind"]),
    [("fresh",), ("resumed",)],
)
RESETS = metrics.counter("webchat_room_resets_total", "Rooms that a connection has to load again.")
REPAIRS = metrics.counter("webchat_room_repairs_total", "Rooms read from the log because events may be missing.")
LOST = metrics.counter("webchat_subscriptions_lost_total", "Times that subscriptions were lost or restored.")
CLOSED = metrics.Children(
    metrics.counter("webchat_sockets_closed_total", "Sockets that the gateway closed, by reason.", ["reason"]),
    [(code.name.lower(),) for code in CloseCode],
)
ERRORS = metrics.Children(metrics.counter("webchat_socket_errors_total", "Frames answered with an error.", ["code"]))
