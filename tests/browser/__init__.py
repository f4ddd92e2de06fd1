"""The browser pages in a real Chromium: what a person sees, clicks and types, and what the embedding page is told."""
