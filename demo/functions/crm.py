"""A sync that follows the CRM's contacts, and an action that adds one."""

from pydantic import BaseModel

from dragoman import ActionContext, ActionError, SyncContext, action, sync


class Contact(BaseModel):
    id: str
    name: str
    email: str
    stage: str


class NewContact(BaseModel):
    name: str
    email: str


@sync(integration="demo-crm", models=[Contact], every="30 seconds")
async def contacts(ctx: SyncContext) -> None:
    """Every contact; one that is gone from the CRM is marked deleted."""
    async with ctx.track_deletes(Contact):
        async for page in ctx.paginate("/contacts"):
            await ctx.save([Contact.model_validate(row | {"id": str(row["id"])}) for row in page])


@action(integration="demo-crm")
async def create_contact(ctx: ActionContext, new: NewContact) -> Contact:
    """Add a contact to the CRM."""
    if "@" not in new.email:
        raise ActionError("This is not an e-mail address.", {"field": "email"})
    row = (await ctx.post("/contacts", json=new.model_dump())).json()
    return Contact(id=str(row["id"]), name=row["name"], email=row["email"], stage=row["stage"])
