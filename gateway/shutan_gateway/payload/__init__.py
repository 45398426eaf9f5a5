"""From a raw payload to samples: the general decoder, and learned layouts in front of it."""
