"""The contract between service and workers: what a job is, and where its data is stored."""
