"""`lineside replay`: a log file through the job, without a broker."""
