"""Nouns that flow: events, transactions, summaries, rejections, and the topics that carry them."""

import os

from streams.core import prefer_compiled

prefer_compiled(plain=os.environ.get("LINESIDE_CORE") == "plain")
