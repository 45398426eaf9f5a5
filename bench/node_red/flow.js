// The function node: a Sparkplug message in, every 500 messages one body of lines out. Nothing survives a kill.
const payloads = global.get("payloads");
const names = context.get("names") || new Map();
const lines = context.get("lines") || [];
context.set("names", names);
context.set("lines", lines);
const [, , kind, edge, device] = msg.topic.split("/");
if (kind === "NBIRTH" || kind === "DBIRTH") {
    for (const metric of payloads.decode(msg.payload).metrics) {
        names.set(`${edge}/${metric.alias}`, metric.name);
    }
    return null;
}
if (kind !== "DDATA") {
    return null;
}
const payload = payloads.decode(msg.payload);
const fields = payload.metrics.map((metric) => {
    const value = metric[metric.value];
    const name = names.get(`${edge}/${metric.alias}`) || "unknown";
    return typeof value === "number" ? `${name}=${value}` : `${name}=${value.toString()}i`;
});
lines.push(`energy,device=${device},node=${edge} ${fields.join(",")} ${payload.timestamp.toString()}000000`);
if (lines.length < 500) {
    return null;
}
msg.payload = lines.join("\n");
lines.length = 0;
msg.headers = { "content-type": "text/plain" };
return msg;
