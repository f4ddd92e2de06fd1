"""What the client's tests deploy."""
