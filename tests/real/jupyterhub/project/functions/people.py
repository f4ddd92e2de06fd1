"""Everybody at a JupyterHub, and an action that lets somebody in."""

from pydantic import BaseModel

from dragoman import ActionContext, ActionError, ProviderError, SyncContext, action, sync


class Person(BaseModel):
    id: str
    admin: bool
    groups: list[str]


class Newcomer(BaseModel):
    name: str


@sync(integration="hub", models=[Person], every="1 hour")
async def people(ctx: SyncContext) -> None:
    """Everybody with an account; who is gone from the hub is marked deleted."""
    async with ctx.track_deletes(Person):
        async for page in ctx.paginate("/users"):
            await ctx.save([Person(id=u["name"], admin=u["admin"], groups=sorted(u["groups"])) for u in page])
            ctx.log.info(f"read {len(page)} people")  # noqa: G004


@action(integration="hub")
async def let_in(ctx: ActionContext, newcomer: Newcomer) -> Person:
    """Create an account."""
    try:
        made = (await ctx.post(f"/users/{newcomer.name}")).json()
    except ProviderError as error:
        if error.status == 409:
            raise ActionError("There is somebody of this name.", {"name": newcomer.name}) from None
        raise
    return Person(id=made["name"], admin=made["admin"], groups=made["groups"])
