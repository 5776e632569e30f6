"""Tokens without a web: values, the lifecycle rule, parameters, storage and use cases."""
