"""The canary: two accounts that write to each other through the public address and count what does not arrive."""
