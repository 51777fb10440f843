"""Two people who write to each other through the public address all day, and count what does not arrive."""
