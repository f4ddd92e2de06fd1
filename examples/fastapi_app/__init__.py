"""A FastAPI application whose users connect GitHub and OpenAI."""
