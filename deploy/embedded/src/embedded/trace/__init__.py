"""Sends one message through the running instance and prints its trace, from the log lines of its spans."""
