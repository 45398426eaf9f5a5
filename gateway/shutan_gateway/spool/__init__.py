"""The gateway's durable queue: append-only segment files, one writer, many readers."""
