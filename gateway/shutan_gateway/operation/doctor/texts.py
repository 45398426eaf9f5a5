"""Every finding with its words: how bad, what is wrong, what to do; English and Chinese (中文)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ERROR", "INFO", "TEXTS", "WARNING", "Text"]

ERROR, WARNING, INFO = "error", "warning", "info"


class Text(NamedTuple):
    """Words of one kind of finding; {names} are filled from its facts."""

    severity: str
    what: str
    remedy: str
    what_zh: str
    remedy_zh: str


TEXTS: dict[str, Text] = {
    "config.unsound": Text(
        ERROR,
        "the configuration has a mistake: {problem}",
        "mend it and run `shutan check --config FILE`; a running gateway keeps the old one",
        "配置有误:{problem}",
        "修改后运行 `shutan check --config 文件`;正在运行的网关继续使用旧配置",
    ),
    "gateway.down": Text(
        ERROR,
        "no gateway answers on {place}",
        "systemctl status shutan-gateway; journalctl -u shutan-gateway -e",
        "网关在 {place} 无应答",
        "查看 systemctl status shutan-gateway 与 journalctl -u shutan-gateway -e",
    ),
    "gateway.failing": Text(
        ERROR,
        "the gateway takes no records: {state}",
        "see the findings about disk and spool; journalctl -u shutan-gateway -e",
        "网关不再接收记录:{state}",
        "查看磁盘与暂存队列的问题;journalctl -u shutan-gateway -e",
    ),
    "gateway.threads": Text(
        WARNING,
        "threads were started again after unexpected errors: {count}",
        "journalctl -u shutan-gateway: send the lines of shutan.thread to the developers",
        "线程因意外错误重启 {count} 次",
        "在 journalctl -u shutan-gateway 中找到 shutan.thread 的日志并反馈给开发者",
    ),
    "source.trouble": Text(
        WARNING,
        "source {name}: {text}",
        "check cable, adapter and address of the source; it is tried again by itself",
        "数据源 {name}:{text}",
        "检查线缆、转换器与地址;系统会自动重试",
    ),
    "broker.unreachable": Text(
        ERROR,
        "the broker {place} cannot be reached: {reason}",
        "systemctl status shutan-broker; check mqtt.host and mqtt.port, and the firewall between",
        "无法连接 MQTT 代理 {place}:{reason}",
        "查看 systemctl status shutan-broker;检查 mqtt.host、mqtt.port 与防火墙",
    ),
    "broker.tls": Text(
        ERROR,
        "TLS with the broker {place} fails: {reason}",
        "check mqtt.tls.ca_file against the broker's certificate, its name, and this machine's clock",
        "与代理 {place} 的 TLS 握手失败:{reason}",
        "核对 mqtt.tls.ca_file、代理证书中的名称以及本机时钟",
    ),
    "broker.login": Text(
        ERROR,
        "the broker {place} refuses the login: {reason}",
        "the first line of mqtt.password_file must be the password of mqtt.username (`shutan broker config`)",
        "代理 {place} 拒绝登录:{reason}",
        "mqtt.password_file 第一行须为 mqtt.username 的密码;用 `shutan broker config` 生成条目",
    ),
    "broker.rights": Text(
        ERROR,
        "the broker lets this user log in, but not hear {topic}",
        "renew the access list: `shutan broker config`, then systemctl reload shutan-broker",
        "代理允许登录,但不允许订阅 {topic}",
        "用 `shutan broker config` 更新访问列表,然后 systemctl reload shutan-broker",
    ),
    "broker.dropped": Text(
        WARNING,
        "the broker has dropped {count} messages since its start because a client was away or slow",
        "nodes send again what was not acknowledged; raise max_queued_messages if it grows while the gateway runs",
        "代理启动以来因客户端离线或过慢丢弃了 {count} 条消息",
        "节点会重发未确认的记录;若网关运行时仍增长,请提高 max_queued_messages",
    ),
    "broker.away": Text(
        ERROR,
        "the gateway has no session with the broker",
        "systemctl status shutan-broker; the gateway goes on by itself when the broker is back",
        "网关与代理没有会话",
        "查看 systemctl status shutan-broker;代理恢复后网关会自动继续",
    ),
    "tls.unreadable": Text(
        ERROR,
        "{path} is no certificate that can be read: {reason}",
        "put the PEM file there, readable by the group shutan",
        "{path} 不是可读的证书:{reason}",
        "放置 PEM 文件,并让 shutan 组可读",
    ),
    "tls.expired": Text(
        ERROR,
        "the certificate {path} ended on {date}",
        "put the new certificate in its place, then systemctl reload shutan-gateway (or shutan-broker)",
        "证书 {path} 已于 {date} 过期",
        "换上新证书,然后 systemctl reload shutan-gateway(或 shutan-broker)",
    ),
    "tls.expires": Text(
        WARNING,
        "the certificate {path} ends in {days} days, on {date}",
        "renew it now; nodes cannot log in when the broker's has ended",
        "证书 {path} 将在 {days} 天后({date})过期",
        "请立即更新;代理证书过期后节点无法登录",
    ),
    "tls.early": Text(
        ERROR,
        "the certificate {path} is not valid before {date}: the clock of this machine is wrong",
        "set the clock (chronyc makestep, or the hardware clock), then start again",
        "证书 {path} 在 {date} 之前无效:本机时钟有误",
        "校准时钟(chronyc makestep 或硬件时钟)后重启服务",
    ),
    "disk.unwritable": Text(
        ERROR,
        "{path} cannot be written: {reason}",
        "check the disk and the owner of the folder (user shutan)",
        "{path} 无法写入:{reason}",
        "检查磁盘以及目录属主(用户 shutan)",
    ),
    "disk.full": Text(
        ERROR,
        "{path} has {free_mb} MB left",
        "make space; when the spool cannot be written nothing is acknowledged and the nodes keep their records",
        "{path} 仅剩 {free_mb} MB",
        "请清理空间;暂存队列写不进去时不再确认,记录留在节点",
    ),
    "disk.low": Text(
        WARNING,
        "{path} has {free_mb} MB left, less than the spool may still take ({wanted_mb} MB)",
        "make space, or lower spool.max_bytes",
        "{path} 剩余 {free_mb} MB,少于暂存队列可能需要的 {wanted_mb} MB",
        "清理空间,或调低 spool.max_bytes",
    ),
    "disk.slow": Text(
        WARNING,
        "the disk of {path} takes {sync_ms} ms to make a small write durable, {write_mb_s} MB/s",
        "an SD card near its end is slow: replace it, or raise intake.tick_ms",
        "{path} 所在磁盘落盘一次需 {sync_ms} 毫秒,写入 {write_mb_s} MB/s",
        "存储卡老化会变慢:请更换,或提高 intake.tick_ms",
    ),
    "clock.wrong": Text(
        ERROR,
        "the clock of this machine says {now}, which is before this program was made",
        "set the clock; without the internet from a watch: date -s '...', then hwclock -w",
        "本机时钟显示 {now},早于本程序的发布时间",
        "请校准时钟;无互联网时按手表设置:date -s '...',再执行 hwclock -w",
    ),
    "clock.unsynchronised": Text(
        WARNING,
        "nothing keeps the clock of this machine right: {reason}",
        "apt-get install chrony; nodes take their time from here",
        "本机时钟没有时间源:{reason}",
        "安装 chrony;节点的时间来自本机",
    ),
    "clock.local": Text(
        INFO,
        "the clock runs on its own: chrony has no source and serves this machine's time",
        "all nodes agree, but drift together: connect a source (GNSS, a router) when you can",
        "时钟自由运行:chrony 没有上级时间源,向节点提供本机时间",
        "各节点时间一致但会共同漂移:有条件时接入时间源(卫星授时、路由器)",
    ),
    "clock.offset": Text(
        WARNING,
        "the clock of this machine is {offset_ms} ms off",
        "chronyc sources; chronyc makestep",
        "本机时钟偏差 {offset_ms} 毫秒",
        "执行 chronyc sources 与 chronyc makestep",
    ),
    "clock.jumped": Text(
        WARNING,
        "the clock of this machine jumped by {jump_s} s",
        "look for two programs that both set it (chrony and another), or a hardware clock with an empty battery",
        "本机时钟跳变 {jump_s} 秒",
        "检查是否有两个程序同时校时,或硬件时钟电池耗尽",
    ),
    "store.unreachable": Text(
        ERROR,
        "store {name}: {reason}",
        "start the store or mend its address; records wait in the spool and nothing is lost",
        "存储 {name}:{reason}",
        "启动存储或修正地址;记录在暂存队列中等待,不会丢失",
    ),
    "store.login": Text(
        ERROR,
        "store {name} refuses the login: {reason}",
        "check user, password_file or token_file of this store",
        "存储 {name} 拒绝登录:{reason}",
        "检查该存储的用户名、password_file 或 token_file",
    ),
    "store.behind": Text(
        WARNING,
        "store {name} is behind: {pending} records wait, the oldest for {oldest_s} s",
        "it catches up by itself; if it grows, the store is too slow or away",
        "存储 {name} 落后:{pending} 条等待,最早的已等 {oldest_s} 秒",
        "会自动追赶;若持续增长,说明存储过慢或离线",
    ),
    "store.dead": Text(
        WARNING,
        "store {name} refused {dead} records for good",
        "shutan spool dead list --store {name} says why; retry after mending",
        "存储 {name} 永久拒绝了 {dead} 条记录",
        "用 shutan spool dead list --store {name} 查看原因;修复后重试",
    ),
    "spool.blocked": Text(
        ERROR,
        "the spool cannot take records: nothing is acknowledged, the nodes keep their records",
        "make space on the disk, or raise spool.max_bytes; it goes on by itself",
        "暂存队列无法写入:不再确认,记录留在节点",
        "清理磁盘或提高 spool.max_bytes;之后自动恢复",
    ),
    "spool.filling": Text(
        WARNING,
        "the spool is {percent} % full",
        "a store is away or too slow: see the findings about stores",
        "暂存队列已用 {percent} %",
        "有存储离线或过慢:见存储相关问题",
    ),
    "spool.damaged": Text(
        WARNING,
        "{count} records on the disk were damaged (bit rot) and skipped",
        "the disk is failing: replace it after a backup",
        "磁盘上有 {count} 条记录损坏(位衰减)并被跳过",
        "磁盘即将失效:备份后更换",
    ),
    "input.rejected": Text(
        WARNING,
        "refused input in the last day: {reasons}",
        "shutan quarantine list shows it with its bytes and where it came from",
        "最近一天被拒绝的输入:{reasons}",
        "用 shutan quarantine list 查看原始字节与来源",
    ),
    "node.offline": Text(
        WARNING,
        "node {node} is offline{since}",
        "check its power and network; it keeps its records and sends them when it is back",
        "节点 {node} 离线{since}",
        "检查供电与网络;记录保存在节点,恢复后补发",
    ),
    "node.silent": Text(
        WARNING,
        "{device} is online and sends nothing for {minutes} minutes",
        "check the meter's cable, address and power; `shutan meter` explains captured frames",
        "{device} 在线但已 {minutes} 分钟没有数据",
        "检查仪表接线、地址与供电;`shutan meter` 可解读抓取的报文",
    ),
    "node.clock": Text(
        WARNING,
        "the clock of {device} is {offset_s} s {direction} this machine's",
        "check that it reaches its time server (this machine, NTP); data is kept as it is",
        "{device} 的时钟相对本机{direction_zh} {offset_s} 秒",
        "检查节点能否访问时间服务器(本机 NTP);数据按原样保留",
    ),
    "node.faults": Text(
        INFO,
        "node {node} does not keep to the protocol: {kinds}",
        "its data is stored; tell its maker",
        "节点 {node} 不符合协议:{kinds}",
        "数据照常入库;请告知设备厂商",
    ),
    "meter.stuck": Text(
        WARNING,
        "the register of {device} stands still for {minutes} minutes while it shows {power_w} W",
        "check the meter (or its current transformers); the energy of this time is not counted by it",
        "{device} 的表底 {minutes} 分钟未变,而功率显示 {power_w} W",
        "检查仪表或互感器;这段时间的电量没有计入",
    ),
}
