"""What is said, in one place: events, checks, policy, topics and what leaves; all of it pure."""
