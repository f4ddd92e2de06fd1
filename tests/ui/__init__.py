"""The browser pages' own tests, and that they are built into what is published."""
