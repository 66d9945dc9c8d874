"""Every system is one page: the program that its own documentation recommends for this job."""
