"""Replay: recorded requests judged under another configuration.

- ``doubt``: schemas of which it is known what they say of a body whose texts are not
- ``facts``: what a record says of a body that was not kept
- ``rulebook``: a configuration as replay sees it, and what of it is the same in another one
- ``judging``: one record in, what would change out
- ``tally``: what was found, counted by operation, app and code
- ``work``: the ledger in pieces, judged by several processes
"""
