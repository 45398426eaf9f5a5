"""One message out by one channel: HTTP POST to a webhook or robot, or a mail.

The robots answer 200 with an error code of their own, 0 = taken. Both take 20 messages a minute. WeCom's own document
(群机器人配置说明, developer.work.weixin.qq.com/document/path/91770): markdown of at most 4,096 bytes. DingTalk's
(自定义机器人接入, open.dingtalk.com): the signature is base64 of HMAC-SHA-256, under the secret, over the time in ms,
a line feed and the secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit

from shutan_gateway.config import read_secret
from shutan_gateway.errors import ConfigError, GatewayError, Problem
from shutan_gateway.operation.notify.message import as_json, markdown, subject, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shutan_gateway.config.notify import DingtalkNotify, MailNotify, NotifyConfig, WebhookNotify, WecomNotify
    from shutan_gateway.operation.notify.message import Change

__all__ = ["NotSentError", "send"]

_ANSWER_BYTES = 10_000
_WECOM_BYTES = 4_096
_DINGTALK_BYTES = 20_000


class NotSentError(GatewayError):
    """It did not go through: network, server, rate limit, a wrong key. Tried again, since a person may mend it."""


def send(channel: NotifyConfig, host: str, changes: Sequence[Change], now_s: float | None = None) -> None:
    """Send one message. Raises NotSentError or ConfigError. now_s: Unix seconds, for the signature."""
    try:
        if channel.kind == "mail":
            _mail(channel, host, changes)
        elif channel.kind == "webhook":
            _webhook(channel, host, changes)
        elif channel.kind == "wecom":
            _wecom(channel, host, changes)
        else:
            _dingtalk(channel, host, changes, time.time() if now_s is None else now_s)
    except (OSError, http.client.HTTPException) as error:
        raise NotSentError(str(error) or type(error).__name__) from error


def _webhook(channel: WebhookNotify, host: str, changes: Sequence[Change]) -> None:
    url = channel.url if channel.url_file is None else read_secret(channel.url_file, "url_file").reveal()
    headers: dict[str, str] = {}
    if channel.token_file is not None:
        headers["Authorization"] = f"Bearer {read_secret(channel.token_file, 'token_file').reveal()}"
    _post(url or "", as_json(host, changes), headers, channel.timeout_s)


def _wecom(channel: WecomNotify, host: str, changes: Sequence[Change]) -> None:
    key = read_secret(channel.key_file, "key_file").reveal()
    body = {
        "msgtype": "markdown",
        "markdown": {"content": markdown(host, changes, channel.language, _WECOM_BYTES)},
    }
    answer = _post(f"{channel.url}/cgi-bin/webhook/send?key={quote(key, safe='')}", body, {}, channel.timeout_s)
    _robot(answer)


def _dingtalk(channel: DingtalkNotify, host: str, changes: Sequence[Change], now_s: float) -> None:
    query = {"access_token": read_secret(channel.token_file, "token_file").reveal()}
    if channel.secret_file is not None:
        secret = read_secret(channel.secret_file, "secret_file").reveal()
        query["timestamp"] = str(int(now_s * 1000))
        digest = hmac.digest(secret.encode(), f"{query['timestamp']}\n{secret}".encode(), hashlib.sha256)
        query["sign"] = base64.b64encode(digest).decode()
    content = markdown(host, changes, channel.language, _DINGTALK_BYTES)
    body = {
        "msgtype": "markdown",
        "markdown": {"title": subject(host, changes, channel.language)[:100], "text": content},
    }
    _robot(_post(f"{channel.url}/robot/send?{urlencode(query)}", body, {}, channel.timeout_s))


def _robot(answer: bytes) -> None:
    """The robots answer 200 with an error code of their own."""
    try:
        found: object = json.loads(answer)
    except ValueError as error:
        raise NotSentError("an answer that is no JSON") from error
    facts = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    code = facts.get("errcode")
    if code == 0:
        return
    raise NotSentError(f"{code}: {str(facts.get('errmsg'))[:200]}")


def _post(url: str, body: Mapping[str, object], headers: dict[str, str], timeout_s: float) -> bytes:
    """Body of the answer. Raises OSError, HTTPException or NotSentError; a secret in the address is not told."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotSentError("the address is not one") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NotSentError("the address is not http(s)://HOST/...")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, port, timeout=timeout_s)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        data = json.dumps(body, ensure_ascii=False, default=str).encode()
        connection.request("POST", path, data, {"Content-Type": "application/json; charset=utf-8", **headers})
        answer = connection.getresponse()
        content = answer.read(_ANSWER_BYTES)
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotSentError(f"{parts.hostname}: HTTP {answer.status}")
    return content


def _mail(channel: MailNotify, host: str, changes: Sequence[Change]) -> None:
    message = EmailMessage()
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    message["Subject"] = subject(host, changes, channel.language)[:200]
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=channel.sender.partition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(changes, channel.language), cte="base64")  # any server takes it
    try:
        with _smtp(channel) as server:
            if channel.security == "starttls":
                server.starttls(context=_context(channel.ca_file))
            if channel.username is not None:
                secret = _password(channel)
                server.login(channel.username, secret)
            server.send_message(message)
    except UnicodeEncodeError as error:  # smtplib logs in with ASCII only (RFC 4616 would allow UTF-8)
        raise NotSentError("username and password of a mail account must be ASCII") from error
    except smtplib.SMTPException as error:
        raise NotSentError(" ".join(str(error).split())[:200] or type(error).__name__) from error


def _smtp(channel: MailNotify) -> smtplib.SMTP:
    if channel.security == "tls":
        context = _context(channel.ca_file)
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=channel.timeout_s, context=context)
    return smtplib.SMTP(channel.host, channel.port, timeout=channel.timeout_s)


def _context(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _password(channel: MailNotify) -> str:
    if channel.password_file is None:
        raise ConfigError([Problem("[[notify]]", "password_file", "nothing", "a file, since username is set")])
    return read_secret(channel.password_file, "password_file").reveal()
