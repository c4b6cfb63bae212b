"""The bench: CPU per request of the gateway beside nginx and a plain aiohttp gateway (``make bench``)."""
