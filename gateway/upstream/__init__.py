"""The data plane's upstream side: the connection pool, strict response reading, header rules."""
