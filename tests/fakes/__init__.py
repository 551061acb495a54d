"""Stand-ins for components, one of each, for all tests.

Each extends the class that it stands for or implements its Protocol, so that mypy compares them.
"""
