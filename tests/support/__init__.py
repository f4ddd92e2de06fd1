"""What tests share that is no fixture: the platform as real processes, small third parties, waiting without sleeping."""
