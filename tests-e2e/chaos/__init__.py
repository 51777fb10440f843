"""The fault matrix: WebChat is broken in one way after the other while people write and read (`make chaos`)."""
