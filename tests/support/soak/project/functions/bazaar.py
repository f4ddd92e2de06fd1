"""Functions over the bazaar of `tests/support/soak/bazaar.py`: a sync of an account's stock, and an action."""

from pydantic import BaseModel

from dragoman import ActionContext, SyncContext, action, sync


class Ware(BaseModel):
    id: str
    account: str
    price: int


@sync(integration="bazaar", models=[Ware], every="1 minute")
async def stock(ctx: SyncContext) -> None:
    """Every ware of the account."""
    async with ctx.track_deletes(Ware):
        page: str | None = "0"
        while page is not None:
            answer = (await ctx.get("/wares", params={"page": page}, retries=3)).json()
            await ctx.save([Ware.model_validate(row) for row in answer["wares"]])
            page = answer["next"]


class Purchase(BaseModel):
    reference: str


class Receipt(BaseModel):
    reference: str
    account: str


@action(integration="bazaar")
async def buy(ctx: ActionContext, wanted: Purchase) -> Receipt:
    """Buy something; the bazaar counts how often it was asked to with the same reference."""
    made = (await ctx.post("/purchases", json=wanted.model_dump())).json()
    return Receipt(reference=made["reference"], account=made["account"])
