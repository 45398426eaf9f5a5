"""The read API: `create_api(ledger, ...)` gives an ASGI application, `/openapi.json` describes it.

Every answer about the ledger carries the head's hash as ETag, so that a client that sends it back in If-None-Match
learns in one cheap query that nothing was written since (304). Pages are bounded. Nothing here writes.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Final

import anyio.to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from shutan_collector.web import line_models, models
from shutan_collector.web.guard import Guard
from shutan_collector.web.periods import energy, period_detail, period_list
from shutan_collector.web.problems import MEDIA_TYPE, handle_problems
from shutan_collector.web.snapshot import Caches, Snapshot
from shutan_collector.web.tables import entry_list, factor_item, factor_list
from shutan_collector.web.traces import emission_list, line_list, trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pydantic import BaseModel
    from starlette.types import ASGIApp

    from shutan_collector.factors.release import Release
    from shutan_collector.ledger.store import Reader
    from shutan_collector.site.model import Site

__all__ = ["MOST_PER_PAGE", "create_api"]

MOST_PER_PAGE: Final = 500
_USUAL_PER_PAGE: Final = 100
# As many as the ledger has connections (ledger.database): more threads would only wait for one.
_THREADS: Final = 8

Offset = Annotated[int, Query(ge=0, description="How many to leave out.")]
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE, description="Most on the page.")]
Text = Annotated[str | None, Query(max_length=200)]


def create_api(ledger: Reader, release: Release, site: Site, *, token: str | None = None) -> ASGIApp:
    """The application over an open ledger. token: what requests have to bear; None = only this machine's own names."""
    app = FastAPI(
        title=f"Shutan 数碳: carbon ledger of {site.name}",
        version=metadata.version("shutan"),
        summary="Closed periods, their lines down to registers, factors and the chain; read only.",
        docs_url=None,  # they load scripts from other hosts
        redoc_url=None,
        lifespan=_limited_threads,
        responses={code: _problem(text) for code, text in _PROBLEMS.items()},
    )
    handle_problems(app)
    answers = _Answers(ledger, Caches())
    _add_service(app, answers, site)
    _add_periods(app, answers)
    _add_lines(app, answers)
    _add_factors(app, release)
    _add_ledger(app, answers)
    return Guard(app, token)


_PROBLEMS: Final = {
    400: "The request cannot be answered as it was put.",
    401: "No token, or a wrong one.",
    404: "There is no such thing, or the period is open.",
    422: "A parameter is not what it has to be.",
    503: "The ledger does not answer; try again.",
}


def _problem(text: str) -> dict[str, object]:
    return {"description": text, "content": {MEDIA_TYPE: {"schema": models.Problem.model_json_schema()}}}


@asynccontextmanager
async def _limited_threads(_app: FastAPI) -> AsyncGenerator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


class _Answers:
    """Makes answers at the head of the moment; the same question at the same head is computed once."""

    def __init__(self, ledger: Reader, caches: Caches) -> None:
        self._ledger = ledger
        self._caches = caches

    async def give(self, request: Request, make: Callable[[Snapshot], BaseModel]) -> Response:
        """The answer to a request, or 304 where the client has it."""
        return await run_in_threadpool(self._give, request, make)

    def _give(self, request: Request, make: Callable[[Snapshot], BaseModel]) -> Response:
        snapshot = Snapshot(self._ledger, self._ledger.head(), self._caches)
        tag = f'"{snapshot.head.hash}"'
        if tag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})

        def encode() -> tuple[bytes, int]:
            body = make(snapshot).model_dump_json(by_alias=True).encode()
            return body, len(body)

        key = (snapshot.head.hash, request.url.path, request.url.query)
        body = self._caches.answers.get(key, encode)
        return Response(body, media_type="application/json", headers={"ETag": tag})


def _tags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in header.split(",")}


def _add_service(app: FastAPI, answers: _Answers, site: Site) -> None:
    @app.get("/", response_model=models.Service)
    async def service(request: Request) -> Response:
        """What answers here, and the head of the chain."""
        return await answers.give(
            request,
            lambda at: models.Service(
                version=app.version, site=site.id, name=site.name, name_zh=site.name_zh, head=at.mark
            ),
        )

    _ = service


def _add_periods(app: FastAPI, answers: _Answers) -> None:
    @app.get("/periods", response_model=models.PeriodList)
    async def periods(request: Request, offset: Offset = 0, limit: Limit = _USUAL_PER_PAGE) -> Response:
        """Closed months and years, in order."""
        return await answers.give(request, lambda at: period_list(at, offset, limit))

    @app.get("/periods/{period}", response_model=models.PeriodDetail)
    async def period(request: Request, period: str) -> Response:
        """State, version, totals and marks of a month "2025-06" or a year "2025"."""
        return await answers.give(request, lambda at: period_detail(at, period))

    @app.get("/periods/{period}/emissions", response_model=models.EmissionList)
    async def period_emissions(request: Request, period: str) -> Response:
        """Sums of lines by source, scope, category and gas."""
        return await answers.give(request, lambda at: emission_list(at, period))

    @app.get("/periods/{period}/energy", response_model=models.EnergyList)
    async def period_energy(request: Request, period: str, meter: Text = None) -> Response:
        """Consumption by meter; with ?meter= and a month also by hour."""
        return await answers.give(request, lambda at: energy(at, period, meter))

    _ = periods, period, period_emissions, period_energy


def _add_lines(app: FastAPI, answers: _Answers) -> None:
    @app.get("/periods/{period}/lines", response_model=line_models.LineList)
    async def lines(
        request: Request, period: str, source: Text = None, offset: Offset = 0, limit: Limit = _USUAL_PER_PAGE
    ) -> Response:
        """Lines of a closed month, of all sources or of one ("meter:m-entry", "market:residual")."""
        return await answers.give(request, lambda at: line_list(at, period, source, offset, limit))

    @app.get("/periods/{period}/lines/{line_id:path}/trace", response_model=line_models.Trace)
    async def line_trace(request: Request, period: str, line_id: str) -> Response:
        """One line down to registers or documents, factor rows and formula."""
        return await answers.give(request, lambda at: trace(at, period, line_id))

    _ = lines, line_trace


def _add_factors(app: FastAPI, release: Release) -> None:
    @app.get("/factors")
    async def factors(
        category: Text = None,
        subject: Text = None,
        region: Text = None,
        offset: Offset = 0,
        limit: Limit = _USUAL_PER_PAGE,
    ) -> line_models.FactorList:
        """Rows of the factor release that the service was started with."""
        return factor_list(release, category=category, subject=subject, region=region, offset=offset, limit=limit)

    @app.get("/factors/{factor_id}")
    async def factor(factor_id: str) -> line_models.FactorItem:
        """One row by id."""
        return factor_item(release, factor_id)

    _ = factors, factor


def _add_ledger(app: FastAPI, answers: _Answers) -> None:
    @app.get("/ledger/head", response_model=models.LedgerHead)
    async def head(request: Request) -> Response:
        """Number and hash of the last entry: what reports and labels print."""
        return await answers.give(request, lambda at: at.mark)

    @app.get("/ledger/entries", response_model=line_models.EntryList)
    async def entries(
        request: Request,
        kind: Text = None,
        period: Text = None,
        after: Annotated[int, Query(ge=0, description="Only entries behind this number.")] = 0,
        limit: Limit = _USUAL_PER_PAGE,
    ) -> Response:
        """Headers of the chain, for anyone who wants to check it."""
        return await answers.give(
            request, lambda at: entry_list(at, kind=kind, period=period, after=after, limit=limit)
        )

    _ = head, entries
