"""The benchmark: WebChat on one core, next to socket.io, a tutorial's chat and a bare loop on the same core."""
