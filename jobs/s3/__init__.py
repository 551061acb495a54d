"""The object store: a job's files, assets, and backups of the API keys."""
