"""DeFi hedge monitor: says when to add a layer of protection, how large, at what cost, and if not now, why not."""

__version__ = "0.1.0"
