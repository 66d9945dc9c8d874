"""The protocol of the Fraud Detection Handbook: this project's features and net against the book's own."""
