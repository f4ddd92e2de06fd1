"""The server's commands for the `dragoman` console script: thin, a file each. Runs in the operator's shell."""

from dragoman_server.cli.keys import keys
from dragoman_server.cli.migrate import migrate
from dragoman_server.cli.providers import providers
from dragoman_server.cli.serve import serve
from dragoman_server.cli.up import up

commands = (up, serve, migrate, keys, providers)
