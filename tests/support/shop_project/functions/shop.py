"""Functions over the shop of `tests/support/shop.py`: a sync of its items with delete tracking, and actions."""

from pydantic import BaseModel

from dragoman import ActionContext, ActionError, SyncContext, action, sync

PAGE = 1000


class Item(BaseModel):
    id: str
    name: str
    price: int
    tags: list[str] = []


class Visit(BaseModel):
    visit: int


@sync(integration="shop", models=[Item], every="30 seconds", checkpoint=Visit)
async def items(ctx: SyncContext) -> None:
    """Every item of the shop; each attempt is a visit with a number of its own, told to the shop when it is over."""
    visit = int((await ctx.post("/visits")).json()["visit"])
    async with ctx.track_deletes(Item):
        page: str | None = "0"
        while page is not None:
            answer = (await ctx.get("/items", params={"page": page, "visit": visit}, retries=3)).json()
            await ctx.save([Item.model_validate(row) for row in answer["items"]])
            page = answer["next"]
    await ctx.checkpoint.save(Visit(visit=visit))
    await ctx.post(f"/visits/{visit}/end")


@sync(integration="shop", models=[Item], name="brief", every=None, auto_start=False, timeout_seconds=6)
async def brief(ctx: SyncContext) -> None:
    """The same in the short time it is given."""
    visit = int((await ctx.post("/visits")).json()["visit"])
    answer = (await ctx.get("/items", params={"page": "0", "visit": visit})).json()
    await ctx.save([Item.model_validate(row) for row in answer["items"]])


class Order(BaseModel):
    item: str
    count: int = 1


class Receipt(BaseModel):
    number: int
    item: str


@action(integration="shop")
async def order(ctx: ActionContext, wanted: Order) -> Receipt:
    """Order an item."""
    if wanted.count < 1:
        raise ActionError("Order at least one.", {"field": "count"})
    made = (await ctx.post("/orders", json=wanted.model_dump())).json()
    return Receipt(number=made["number"], item=made["item"])
