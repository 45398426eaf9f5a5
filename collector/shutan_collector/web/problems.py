"""Errors as problem JSON (RFC 9457): what is wrong and what would be right, in one line."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shutan_collector.errors import CollectorError, RequestError, StoreUnavailableError
from shutan_collector.web.models import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI, Request

__all__ = ["MEDIA_TYPE", "ProblemError", "handle_problems", "problem_response"]

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_S: Final = 5
_LOG: Final = logging.getLogger(__name__)


class ProblemError(Exception):
    """A request that gets a problem instead of an answer."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """One problem."""
    problem = Problem(status=status, title=HTTPStatus(status).phrase, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Every error of the application becomes a problem; none shows a traceback."""
    app.add_exception_handler(ProblemError, _refused)
    app.add_exception_handler(CollectorError, _collector)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    status, detail = error.args
    return problem_response(status, detail)


async def _collector(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, StoreUnavailableError):
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": str(_RETRY_S)})
    if isinstance(error, RequestError):
        return problem_response(HTTPStatus.BAD_REQUEST, str(error))
    _LOG.error("a request failed: %s", error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    found = cast("Sequence[dict[str, Any]]", error.errors()) if isinstance(error, RequestValidationError) else ()
    told = (f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in found)
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(told))


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = str(getattr(error, "detail", "") or HTTPStatus(status).phrase)
    if status == HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path}; /openapi.json lists what there is"
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not offered: this service only reads"
    return problem_response(status, detail, dict(getattr(error, "headers", None) or {}))


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    _LOG.error("a request failed", exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the log of the service has it")
