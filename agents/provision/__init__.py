"""`lineside topics`: create, check and copy the topics of a job."""
