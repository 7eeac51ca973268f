"""What an operator sees from outside: the access log, the metrics and the traces."""
