"""A sync that copies contacts, and an action that adds one."""

from pydantic import BaseModel

from dragoman import ActionContext, ActionError, SyncContext, action, sync


class Contact(BaseModel):
    """What is stored; every record needs an `id`."""

    id: str
    name: str
    email: str | None = None


class NewContact(BaseModel):
    name: str
    email: str | None = None


@sync(integration="demo-crm", models=[Contact], every="1 hour")
async def contacts(ctx: SyncContext) -> None:
    """Copy all contacts; what disappears at the provider is marked deleted here."""
    async with ctx.track_deletes(Contact):
        async for page in ctx.paginate("/contacts"):
            await ctx.save([Contact(id=str(row["id"]), name=row["name"], email=row.get("email")) for row in page])


@action(integration="demo-crm")
async def create_contact(ctx: ActionContext, input: NewContact) -> Contact:
    """Add a contact at the provider."""
    if not input.name.strip():
        raise ActionError("A contact needs a name.", {"field": "name"})
    row = (await ctx.post("/contacts", json=input.model_dump())).json()
    return Contact(id=str(row["id"]), name=row["name"], email=row.get("email"))
