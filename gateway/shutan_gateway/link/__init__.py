"""The session with the broker: packets, TLS, and the bounded queue behind it."""
