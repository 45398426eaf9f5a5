"""Notifications against local servers: what each kind says, on change only, never more than allowed, never lost."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from shutan_gateway.config import GatewayConfig, load_config
from shutan_gateway.counters import Counters, Key
from shutan_gateway.errors import ConfigError
from shutan_gateway.intake.node_table import NodeFacts
from shutan_gateway.operation.doctor.finding import Finding
from shutan_gateway.operation.doctor.texts import TEXTS
from shutan_gateway.operation.notify import create_watch
from shutan_gateway.operation.notify.message import Change, markdown
from shutan_gateway.operation.notify.watch import Watch
from support.gateway_process import gateway_process
from support.listeners import Mail, Web
from support.servers import Server, wait_until

STUCK = Finding("spool.blocked")
SLOW = Finding("store.behind", "local", {"name": "local", "pending": 7, "oldest_s": 900})
GONE = Finding("node.offline", "plant/n01", {"node": "plant/n01", "since": ""})
INFO = Finding("clock.local")


class Inside:
    """A gateway's inside with numbers that a test sets."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.blocked = 0

    def numbers(self) -> dict[Key, int | float]:
        return {**self.counters.snapshot(), Key("shutan_spool_blocked"): self.blocked}

    def health(self) -> tuple[bool, dict[str, object]]:
        return True, {"status": "ok", "broker": "connected", "stores": {}}

    def nodes(self) -> list[NodeFacts]:
        return []


def config_of(folder: Path, text: str) -> GatewayConfig:
    for name, secret in (("token", "T0KEN"), ("secret", "SECsecret"), ("key", "the-key"), ("password", "pass word")):
        (folder / name).write_text(secret + "\n")
    (folder / "data").mkdir(exist_ok=True)
    (folder / "gateway.toml").write_text('[gateway]\ndata_dir = "data"\n' + text)
    return load_config(folder / "gateway.toml")


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def hook(web: Web, more: str = "") -> str:
    return f'[[notify]]\nkind = "webhook"\nname = "ops"\nurl = "{web.url}/in"\nmin_interval_s = 0\n{more}'


def watch_of(tmp_path: Path, text: str, inside: Inside | None = None) -> Watch:
    watch = create_watch(config_of(tmp_path, text), inside or Inside())
    assert isinstance(watch, Watch)
    return watch


def looks(watch: Watch, *findings: Finding, times: int = 2) -> None:
    for _ in range(times):
        watch.take(list(findings))
        watch.tell()


def kinds(web: Web, index: int = -1) -> list[tuple[str, bool]]:
    return [(change["kind"], change["appeared"]) for change in web.heard[index].body["changes"]]


def test_a_change_is_told_once_and_its_end_once(tmp_path: Path, web: Web) -> None:
    watch = watch_of(tmp_path, hook(web, 'token_file = "token"\n'))
    looks(watch, STUCK, times=5)
    assert len(web.heard) == 1
    assert kinds(web) == [("spool.blocked", True)]
    assert web.heard[0].headers["Authorization"] == "Bearer T0KEN"
    assert "nothing is acknowledged" in web.heard[0].body["changes"][0]["what"]
    assert "不再确认" in web.heard[0].body["changes"][0]["what_zh"]
    looks(watch, times=5)
    assert len(web.heard) == 2
    assert kinds(web) == [("spool.blocked", False)]


def test_what_is_there_at_one_look_only_is_no_news(tmp_path: Path, web: Web) -> None:
    watch = watch_of(tmp_path, hook(web))
    for _ in range(4):
        looks(watch, STUCK, times=1)
        looks(watch, times=1)
    assert web.heard == []


def test_information_is_not_told_and_warnings_only_where_wanted(tmp_path: Path, web: Web) -> None:
    watch = watch_of(tmp_path, hook(web, 'least = "error"\n'))
    looks(watch, INFO, SLOW)
    assert web.heard == []
    looks(watch, INFO, SLOW, STUCK)
    assert kinds(web) == [("spool.blocked", True)]


def test_a_restart_tells_nothing_twice_and_forgets_nothing(tmp_path: Path, web: Web) -> None:
    looks(watch_of(tmp_path, hook(web)), STUCK, SLOW)
    again = watch_of(tmp_path, hook(web))
    looks(again, STUCK, SLOW)
    assert len(web.heard) == 1
    looks(again, SLOW)
    assert kinds(web) == [("spool.blocked", False)]


def test_after_a_restart_a_node_is_not_called_well_before_it_was_heard(tmp_path: Path, web: Web) -> None:
    looks(watch_of(tmp_path, hook(web)), GONE)
    again = watch_of(tmp_path, hook(web))
    looks(again, times=5)
    assert len(web.heard) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"ops": {"x": {"kind": "no.such", "facts": {}}}}', '{"ops": 7}', "\0"])
def test_a_damaged_memory_costs_a_repetition_only(tmp_path: Path, web: Web, text: str) -> None:
    config_of(tmp_path, "")
    (tmp_path / "data/watch.json").write_text(text)
    looks(watch_of(tmp_path, hook(web)), STUCK)
    assert len(web.heard) == 1


def test_a_failure_is_tried_again_and_then_tells_how_things_are(tmp_path: Path) -> None:
    inside = Inside()
    with Web((503, ""), (200, "{}")) as web:
        watch = watch_of(tmp_path, hook(web), inside)
        looks(watch, STUCK, SLOW)
        assert len(web.heard) == 1
        assert inside.counters.get("shutan_notifications_failed_total", notify="ops") == 1
        watch.tell(after_s=3600)
        assert sorted(kinds(web)) == [("spool.blocked", True), ("store.behind", True)]
        assert inside.counters.get("shutan_notifications_sent_total", notify="ops") == 1


def test_messages_are_spaced_and_gathered(tmp_path: Path, web: Web) -> None:
    watch = watch_of(tmp_path, hook(web).replace("min_interval_s = 0", "min_interval_s = 600"))
    looks(watch, STUCK)
    looks(watch, STUCK, SLOW)
    looks(watch, SLOW, GONE)
    assert len(web.heard) == 1
    watch.tell(after_s=601)
    assert kinds(web) == [("node.offline", True), ("store.behind", True), ("spool.blocked", False)]


def test_a_flood_is_bounded_and_counted(tmp_path: Path, web: Web) -> None:
    inside = Inside()
    watch = watch_of(tmp_path, hook(web), inside)
    flood = [Finding("node.offline", f"plant/n{n}", {"node": f"n{n}", "since": ""}) for n in range(700)]
    looks(watch, *flood)
    assert len(web.heard[0].body["changes"]) == 500
    assert inside.counters.get("shutan_notifications_dropped_total", notify="ops") == 200


def test_wecom_gets_markdown_of_at_most_4096_bytes(tmp_path: Path) -> None:
    with Web((200, '{"errcode": 0, "errmsg": "ok"}')) as web:
        text = f'[[notify]]\nkind = "wecom"\nname = "群"\nkey_file = "key"\nurl = "{web.url}"\n'.replace("群", "qun")
        many = [Finding("node.offline", f"p/n{n}", {"node": f"厂区/节点{n}" * 20, "since": ""}) for n in range(40)]
        looks(watch_of(tmp_path, text), STUCK, *many)
    assert web.heard[0].path == "/cgi-bin/webhook/send?key=the-key"
    body = web.heard[0].body
    assert body["msgtype"] == "markdown"
    content = body["markdown"]["content"]
    assert len(content.encode()) <= 4096
    assert "出现问题" in content
    shown = sum(line.startswith("- **") for line in content.splitlines())
    assert f"另有 {41 - shown} 条" in content


def test_dingtalk_is_signed(tmp_path: Path) -> None:
    with Web((200, '{"errcode":0,"errmsg":"ok"}')) as web:
        secrets = 'token_file = "token"\nsecret_file = "secret"\n'
        text = f'[[notify]]\nkind = "dingtalk"\nname = "d"\n{secrets}url = "{web.url}"\n'
        looks(watch_of(tmp_path, text), STUCK)
    parts = urllib.parse.urlsplit(web.heard[0].path)
    query = dict(urllib.parse.parse_qsl(parts.query))
    assert (parts.path, query["access_token"]) == ("/robot/send", "T0KEN")
    signed = f"{query['timestamp']}\nSECsecret".encode()
    assert query["sign"] == base64.b64encode(hmac.new(b"SECsecret", signed, hashlib.sha256).digest()).decode()
    assert web.heard[0].body["markdown"]["text"].startswith("### ")


def test_a_robot_that_refuses_is_a_failure(tmp_path: Path) -> None:
    inside = Inside()
    with Web((200, '{"errcode": 93000, "errmsg": "invalid webhook url"}')) as web:
        text = f'[[notify]]\nkind = "wecom"\nname = "w"\nkey_file = "key"\nurl = "{web.url}"\n'
        looks(watch_of(tmp_path, text, inside), STUCK)
    assert inside.counters.get("shutan_notifications_failed_total", notify="w") == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_over_tls_with_a_login(tmp_path: Path, security: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    with Mail(tmp_path / "server.pem", tls=security == "tls") as server:
        text = (
            f'[[notify]]\nkind = "mail"\nname = "m"\nhost = "127.0.0.1"\nport = {server.port}\nca_file = "ca.pem"\n'
            f'security = "{security}"\nusername = "u"\npassword_file = "password"\nlanguage = "zh"\n'
            'sender = "gw@plant.example"\nto = ["a@plant.example", "b@plant.example"]\n'
        )
        looks(watch_of(tmp_path, text), STUCK)
    assert server.logins == ["\0u\0pass word"]
    assert not {"AUTH", "MAIL", "DATA"} & set(server.plain_commands)
    message = email.message_from_bytes(server.messages[0], policy=email.policy.default)
    assert "暂存队列无法写入" in message["Subject"]
    assert [line for line in server.envelopes if "b@plant.example" in line]
    body = message.get_body()
    assert body is not None
    assert "清理磁盘" in body.get_content()


def test_mail_is_not_sent_to_a_server_of_another_authority(tmp_path: Path) -> None:
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    inside = Inside()
    with Mail(tmp_path / "server.pem", tls=True) as server:
        text = (
            f'[[notify]]\nkind = "mail"\nname = "m"\nhost = "127.0.0.1"\nport = {server.port}\nca_file = "ca.pem"\n'
            'security = "tls"\nsender = "gw@plant.example"\nto = ["a@plant.example"]\n'
        )
        looks(watch_of(tmp_path, text, inside), STUCK)
    assert server.messages == []
    assert inside.counters.get("shutan_notifications_failed_total", notify="m") == 1


def test_a_mail_password_that_smtp_cannot_carry_is_a_failure(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    inside = Inside()
    with Mail(tmp_path / "server.pem", tls=True) as server:
        text = (
            f'[[notify]]\nkind = "mail"\nname = "m"\nhost = "127.0.0.1"\nport = {server.port}\nca_file = "ca.pem"\n'
            'security = "tls"\nusername = "u"\npassword_file = "password"\n'
            'sender = "gw@plant.example"\nto = ["a@plant.example"]\n'
        )
        watch = watch_of(tmp_path, text, inside)
        (tmp_path / "password").write_text("密码\n")
        looks(watch, STUCK)
    assert inside.counters.get("shutan_notifications_failed_total", notify="m") == 1


def test_names_from_the_field_make_no_links_or_mentions() -> None:
    evil = "n01](http://evil) @all <b>\n# x"
    content = markdown("gw", [Change(Finding("node.offline", "x", {"node": evil, "since": ""}), True, 0)], "en", 4096)
    assert not re.search(r"[\[\]<>@]", content.replace("> ", ""))
    assert len(content.splitlines()) == 3


def test_the_thread_looks_and_tells_by_itself(tmp_path: Path, web: Web) -> None:
    inside = Inside()
    watch = watch_of(tmp_path, "[watch]\ninterval_s = 1\n" + hook(web, 'least = "error"\n'), inside)
    inside.blocked = 1
    watch.start()
    try:
        wait_until(lambda: bool(web.heard), 20, "the message")
    finally:
        watch.stop()
    assert ("spool.blocked", True) in kinds(web, 0)
    assert inside.counters.get("shutan_findings", severity="error") >= 1
    assert "ops" in json.loads((tmp_path / "data/watch.json").read_text())


@pytest.mark.flow
def test_a_gateway_tells_that_its_broker_is_gone_and_back(tmp_path: Path, mosquitto: Server, web: Web) -> None:
    more = "[watch]\ninterval_s = 1\n" + hook(web, 'least = "error"\n')
    with gateway_process(tmp_path, mosquitto.port, more) as gateway:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "connected")
        assert gateway.number('shutan_notifications_sent_total{notify="ops"}') == 0
        mosquitto.stop()
        wait_until(lambda: bool(web.heard), 60, "the broker is gone")
        assert ("broker.away", True) in kinds(web, 0)
        mosquitto.start()
        wait_until(lambda: ("broker.away", False) in kinds(web), 90, "the broker is back")
        assert gateway.number('shutan_notifications_sent_total{notify="ops"}') >= 2


def test_without_notify_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    watch = create_watch(config_of(tmp_path, ""), Inside())
    assert not isinstance(watch, Watch)
    watch.start()
    watch.stop()


def test_an_empty_secret_is_said_before_anything_starts(tmp_path: Path, web: Web) -> None:
    config = config_of(tmp_path, hook(web, 'token_file = "token"\n'))
    (tmp_path / "token").write_text("")
    with pytest.raises(ConfigError, match="empty first line"):
        create_watch(config, Inside())


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_every_finding_has_words_in_both_languages(kind: str) -> None:
    text = TEXTS[kind]
    names = {name for part in text[1:] for name in re.findall(r"\{(\w+)\}", part)}
    finding = Finding(kind, "x", dict.fromkeys(names, 7))
    assert re.search(r"[一-鿿]", finding.what("zh") + finding.remedy("zh"))
    assert not re.search(r"[一-鿿]", finding.what() + finding.remedy())
    used_en = set(re.findall(r"\{(\w+)\}", text.what)) - {"direction"}
    used_zh = {name.removesuffix("_zh") for name in re.findall(r"\{(\w+)\}", text.what_zh)} - {"direction"}
    assert used_en == used_zh
