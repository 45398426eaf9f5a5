// Node-RED as a peer in bench/peers.py: no editor, no admin interface, the decoder of Eclipse Tahu in reach of the flow.
const path = require("path");

module.exports = {
    uiHost: "127.0.0.1",
    uiPort: Number(process.env.PEER_UI_PORT),
    httpAdminRoot: false,
    userDir: process.env.PEER_FOLDER,
    flowFile: path.join(process.env.PEER_FOLDER, "flows.json"),
    logging: { console: { level: "warn", metrics: false, audit: false } },
    // The generated classes: the library's own decoder needs a datatype in every DATA, which Sparkplug leaves out.
    functionGlobalContext: {
        payloads: require("sparkplug-payload/lib/sparkplugPayloadProto").org.eclipse.tahu.protobuf.Payload,
    },
};
