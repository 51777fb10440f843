"""The process behind the operators' page /ops: it collects the main figures of all other processes."""
