"""The demo: a small third-party CRM, functions over it, a webhook receiver, and the script that plays the main job."""
