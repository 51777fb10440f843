"""The WebSocket: handshake, reading, bounded writing, heartbeat."""
