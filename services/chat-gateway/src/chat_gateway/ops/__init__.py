"""The operators' page /ops: the main figures of every process.

The gateway that gets the request collects them from all replicas.
"""
