"""Database sessions of a request: the framework commits, services never do.

Code after a dependency's `yield` runs when the response is on its way already, so the commit belongs to the route:
`TransactionRoute` commits once the endpoint has returned and before the response is sent. A commit that fails is an
error that the client sees.
"""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from services.kernel.db import ReadSession, WriteSession
from services.kernel.http.auth import Me
from services.kernel.http.state import kernel_of

STACK = "transaction"


class StrictRequest(Request):
    """A request whose JSON is what RFC 8259 says: UTF-8 without NaN, lone surrogates or endless nesting.

    The standard library's reader lets them through, and they fail later, where a value is stored or sent.
    """

    async def json(self) -> Any:
        if not hasattr(self, "_strict"):
            self._strict = orjson.loads(await self.body())
        return self._strict


class TransactionRoute(APIRoute):
    """A route that ends the transactions its dependencies began: commits on success, rolls back on any error."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Any] = super().get_route_handler()

        async def transactional(request: Request) -> Response:
            async with AsyncExitStack() as stack:
                request.scope[STACK] = stack
                response: Response = await handler(StrictRequest(request.scope, request.receive))
            return response

        return transactional


async def read_session(request: Request, me: Me) -> ReadSession:
    """A reading transaction of the signed-in tenant; what it sees may be a moment old."""
    stack: AsyncExitStack = request.scope[STACK]
    return await stack.enter_async_context(kernel_of(request).db.read(me.user_id))


async def fresh_session(request: Request, me: Me) -> ReadSession:
    """A reading transaction on the writer: for what its reader has just written."""
    stack: AsyncExitStack = request.scope[STACK]
    return await stack.enter_async_context(kernel_of(request).db.read(me.user_id, fresh=True))


async def unnamed_session(request: Request) -> WriteSession:
    """A writing transaction without a tenant, for whoever is not signed in yet; it sees nothing that has an owner."""
    stack: AsyncExitStack = request.scope[STACK]
    return await stack.enter_async_context(kernel_of(request).db.write())


async def write_session(request: Request, me: Me) -> WriteSession:
    """A writing transaction of the signed-in tenant."""
    stack: AsyncExitStack = request.scope[STACK]
    return await stack.enter_async_context(kernel_of(request).db.write(me.user_id))


Reader = Annotated[ReadSession, Depends(read_session)]
FreshReader = Annotated[ReadSession, Depends(fresh_session)]
Writer = Annotated[WriteSession, Depends(write_session)]
UnnamedWriter = Annotated[WriteSession, Depends(unnamed_session)]
