"""What lies in the object store: a job's files, uploads ahead of a job, copies of the API keys."""
