"""What is kept of bodies (``audit.content``): in segments beside the ledger, under a retention of its own.

A record of the ledger holds the HMAC of what is kept, and nothing else of it. So content can be erased, one
record's or a whole segment's, and the chain stays as sound as it was.
"""
