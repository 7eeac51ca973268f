"""The model store: what can be pulled, where it lies, and how it is fetched and verified.

Nothing here imports an engine or a native library, and only `pull` touches the network.
"""
