"""The audit trail: one record for every request, chained in ledgers on disk, and found through an index."""
