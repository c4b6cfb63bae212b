"""A small document and overlays of it, as texts whose lines tests know by number."""

from __future__ import annotations

from gateway.documents import Document, parse_document

BASE = """\
openapi: 3.0.0
info:
  title: T
  tags: [a, b]
paths:
  /x:
    get:
      parameters:
        - {name: first, in: query}
        - {name: second, in: query}
        - {name: third, in: query}
  /y:
    get: {deprecated: true}
"""
HEAD = "overlay: 1.0.0\ninfo: {title: o, version: '1'}\nactions:\n"


def base() -> Document:
    """Give the document that overlays are laid over."""
    return parse_document(BASE, "base.yaml")


def overlay(actions: str, name: str = "o.yaml") -> Document:
    """Give an overlay whose actions begin on line 4."""
    return parse_document(HEAD + actions, name)
