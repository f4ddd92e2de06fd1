"""Deployed bundles: archives in a blob store, named by what they contain, and unpacked into a local cache.

Deploys `put` them, runner hosts `fetch_unpacked`. Stores objects under `deployments/<environment>/<sha256>.tar.gz`; no
table. Runs wherever functions are deployed or run; the cache is per machine and may be deleted at any time.
"""

from dragoman_server.scripts.archive import Limits
from dragoman_server.scripts.blobs import open_blobs
from dragoman_server.scripts.service import Scripts, deployment_id_of

__all__ = ["Limits", "Scripts", "deployment_id_of", "open_blobs"]
