"""Text in, JSON values out: parameters of every style, forms, the parts of multipart bodies."""
