"""What operators see on /ops: the main figures of every process, asked of all replicas by the gateway that is asked."""
