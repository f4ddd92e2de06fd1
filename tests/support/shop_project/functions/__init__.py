"""What the shop's tests deploy."""
