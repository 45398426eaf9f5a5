"""A client of an ASGI application in the same process, without a socket."""

import asyncio
from collections.abc import Mapping

import httpx
from starlette.types import ASGIApp

LOCAL = "http://127.0.0.1:8710"


class ApiClient:
    """Requests one after the other, each in an event loop of its own."""

    def __init__(self, app: ASGIApp, base_url: str = LOCAL) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._base_url = base_url

    def get(
        self, path: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """One GET."""
        return self.request("GET", path, params=params, headers=headers)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request of any method."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url=self._base_url) as client:
                return await client.request(method, path, params=params, headers=headers)

        return asyncio.run(ask())
