"""The SDK as an author uses it: decorators, models, pagination, the context over a transport in memory, bundles."""
