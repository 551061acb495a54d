"""The JSON documents of the API, and its OpenAPI document."""
