"""What a person waits for: the web client in Chromium, on the stack that the other scenes measure."""
