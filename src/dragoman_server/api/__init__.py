"""The front door: the public HTTP API.

Ordinary routes are FastAPI routers, one file per resource; the proxy and the records page are raw ASGI doors beside
them. Every route is in `demands.py`, the table of what each wants of its caller; a route that is not is refused.
Stores nothing. Runs in every process with the role `api`.
"""
