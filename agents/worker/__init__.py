"""The process that hosts the agents: settings, command line, views, and the page."""
