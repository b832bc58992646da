"""What one line remembers and what follows from it: ledger, windows, episodes, closing; pure."""
