"""The WebSocket protocol, sans I/O."""
