"""The room log in Redis: the encoding of events, the stream, the cached page of messages, and the fold."""
