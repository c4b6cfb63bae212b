"""``gateway audit``: the verbs on the audit trail, one file for each."""
