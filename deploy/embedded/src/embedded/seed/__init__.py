"""Fill a running instance with users, rooms and messages over the public HTTP API. A second run changes nothing."""
