"""A Django application whose users connect GitHub and OpenAI."""
