"""The JSON documents that go over the wire, and the OpenAPI document about them."""
