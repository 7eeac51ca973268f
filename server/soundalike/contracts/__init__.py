"""What each model id takes and returns, and the exact error for what it does not.

`table` is the one readable table and `terms` its vocabulary; `lookup` finds a model in it.
`speech` and `transcription` check what a client sent against a contract, `uploads` what it
uploaded, each fault worded as the live service words it.
"""
