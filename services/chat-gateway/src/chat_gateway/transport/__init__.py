"""The socket itself: handshake, reading, bounded writing, heartbeat."""
