"""The upstream that the demo and the tests use: threads and messages, kept in memory.

``store`` keeps them (pure), ``shapes`` reads bodies and writes answers as the real API does (pure),
``modes`` reads the wanted misbehaviour (pure), ``app`` serves, ``traffic`` is the demo's sample.
"""
