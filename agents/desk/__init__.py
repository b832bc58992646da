"""The desk: the API and the page over the books."""
