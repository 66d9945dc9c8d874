#!/bin/sh
# The jars of the launcher have no command-line tools: a connection is the answer that the health check gets.
exec python3 -c 'import socket; socket.create_connection(("localhost", 9092), 3)'
