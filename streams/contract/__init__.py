"""What is said: events, checks, policy, topics and what leaves. The single source; pure."""
