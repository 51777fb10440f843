"""The driver: performs the effects of connections, with all I/O that they need."""
