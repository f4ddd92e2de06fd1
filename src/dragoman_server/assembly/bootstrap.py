"""The first start: an account with `dev` and `prod`, their keys, and `credentials.json`."""

import json
from typing import Any
from uuid import uuid4

from dragoman_server import control
from dragoman_server.assembly.keys import keyring_of, reload_keyring
from dragoman_server.assembly.layout import Databases, DataFolder
from dragoman_server.assembly.prepare import write_private
from dragoman_server.assembly.settings import read_settings
from dragoman_server.db import Database, Invalidations
from dragoman_server.kit.secret import Secret
from dragoman_server.vault import Vault


async def bootstrap(databases: Databases, folder: DataFolder, *, url: str) -> bool:
    """Make the first account when there is none; return whether it was made now.

    The file is written before the commit under another name and renamed after it: a crash in between leaves either
    nothing, or an account whose keys are in the file.
    """
    settings = read_settings()
    database = Database(databases.main, max_size=3)
    await database.open()
    try:
        invalidations = Invalidations(databases.main_direct)
        vault = Vault(
            database=database,
            keyring=keyring_of(settings, folder),
            invalidations=invalidations,
            reload_keyring=reload_keyring(settings, folder),
        )
        await vault.open()
        common: dict[str, Any] = {"database": database, "vault": vault, "invalidations": invalidations}
        api_keys = control.ApiKeys(**common)
        pending = folder.credentials.with_name("credentials.pending.json")
        if await control.Accounts(**common).list():
            if pending.exists() and not folder.credentials.exists():
                made = json.loads(pending.read_text("utf-8"))
                if await api_keys.authenticate(made["account_key"]) is not None:
                    pending.rename(folder.credentials)
            return False
        account_key, dev_key, prod_key = (Secret(str(uuid4())) for _ in range(3))
        async with database.transaction() as conn:
            account = await control.Accounts(**common).create("default", conn=conn)
            await api_keys.create(account.id, "default", secret=account_key, conn=conn)
            environments = control.Environments(**common)
            written: dict[str, Any] = {"url": url, "account_key": account_key.reveal(), "environments": {}}
            for name, key in (("dev", dev_key), ("prod", prod_key)):
                made = await environments.create(account.id, name, is_production=name == "prod", conn=conn)
                await api_keys.create(account.id, "default", environment_id=made.id, secret=key, conn=conn)
                signing_key = (await environments.signing_keys(made.id, conn=conn))[0]
                written["environments"][name] = {
                    "id": made.id,
                    "api_key": key.reveal(),
                    "webhook_signing_key": signing_key.reveal(),
                }
            write_private(pending, json.dumps(written, indent=2) + "\n")
        pending.rename(folder.credentials)
        return True
    finally:
        await database.close()
