"""What an operator needs around the gateway: installation, broker, doctor, notifications, systemd."""
