"""The simulated site: a Sichuan liquor distillery."""
