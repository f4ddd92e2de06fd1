"""From a person's consent to a stored credential that stays fresh.

Doors begin and finish authorizations here (`service`), the proxy and the gate ask for a usable credential
(`credentials.Credentials.fresh`), loops refresh ahead of expiry. Stores connect sessions, pending OAuth states and
credentials (sealed by the vault) in the schema `connect`. Runs in every process that serves doors or jobs; the
due-queue (`loops`) in the work process. Grants are pure and live one file per RFC or mode in `grants`.
"""
