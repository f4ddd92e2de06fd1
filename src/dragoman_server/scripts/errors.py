"""What can be wrong with an archive or with the place it is kept."""

from dragoman_server.kit.errors import InvalidInputError, NotFoundError, UnavailableError


class InvalidArchiveError(InvalidInputError):
    """The uploaded archive cannot be taken: not a tar.gz, too large, or holding what no bundle may hold."""

    code = "invalid_archive"

    def __init__(self, why: str) -> None:
        super().__init__(f"The archive cannot be used: {why}.")


class UnknownDeploymentError(NotFoundError):
    """No bundle of that name is stored."""

    code = "unknown_deployment"

    def __init__(self, deployment_id: str) -> None:
        super().__init__(f"The bundle of deployment `{deployment_id[:12]}` is not stored. Deploy it again.")


class DamagedBundleError(UnavailableError):
    """What is stored is not what was deployed."""

    code = "damaged_bundle"

    def __init__(self, deployment_id: str) -> None:
        super().__init__(f"The stored bundle of deployment `{deployment_id[:12]}` is damaged. Deploy it again.")


class BlobStoreUnavailableError(UnavailableError):
    """The blob store does not answer."""

    def __init__(self) -> None:
        super().__init__("The store of deployed bundles does not answer. Try again shortly.")
