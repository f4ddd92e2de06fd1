"""What the soak deploys."""
