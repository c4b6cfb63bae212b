"""The upstream that the demo and the tests use: threads and messages, kept in memory."""
