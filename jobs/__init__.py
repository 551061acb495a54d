"""The contract between the HTTP floor and the GPU floor: what a job is, and where it lies."""
