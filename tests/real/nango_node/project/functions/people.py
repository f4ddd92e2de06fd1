"""What the official client's tests call: two syncs and three actions."""

from pydantic import BaseModel

from dragoman import ActionContext, ActionError, SyncContext, action, sync


class Person(BaseModel):
    id: str
    name: str
    town: dict[str, str]


class Greeting(BaseModel):
    name: str


@sync(integration="node-key", models=[Person], every="1 hour")
async def people(ctx: SyncContext) -> None:
    """Everybody there is."""
    await ctx.save([Person(id=str(n), name=f"Zoë {n}", town={"de": "Köln"}) for n in range(3)])


@action(integration="node-key")
async def greet(ctx: ActionContext, who: Greeting) -> dict[str, str]:
    """A greeting."""
    return {"greeting": f"Grüß dich, {who.name}"}


@action(integration="node-key")
async def refuse(ctx: ActionContext) -> None:
    """Always fails, and says why."""
    raise ActionError("No.", {"reason": "not today"})


@action(integration="node-key")
async def echo(ctx: ActionContext, given: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """What it was given."""
    return given
