"""A sync that saves as many things as the connection's metadata says, and an action that doubles."""

from pydantic import BaseModel

from dragoman import ActionContext, ActionError, SyncContext, action, sync


class Thing(BaseModel):
    id: str
    colour: str = "red"


class Settings(BaseModel):
    count: int = 5


class Number(BaseModel):
    n: int


@sync(integration="client-key", models=[Thing], every="1 hour", metadata=Settings, track_deletes=True)
async def things(ctx: SyncContext) -> None:
    """Things."""
    settings: Settings = await ctx.metadata.get()
    await ctx.save([Thing(id=str(n)) for n in range(settings.count)])
    ctx.log.info("counted the things")


@sync(integration="client-key", models=[Thing], every=None, auto_start=False)
async def seldom(ctx: SyncContext) -> None:
    """Only when asked."""
    await ctx.save([Thing(id="seldom")])


@action(integration="client-key")
async def double(ctx: ActionContext, number: Number) -> Number:
    """Twice as much."""
    if number.n < 0:
        raise ActionError("Not below zero.", {"n": number.n})
    return Number(n=2 * number.n)
