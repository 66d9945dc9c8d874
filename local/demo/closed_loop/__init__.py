"""The closed loop, unattended, in simulated time: a pattern that nobody has labels for, and how recall comes back.

A shop goes live; weeks later a new kind of fraud begins. Analysts judge only what raised an alert, chargebacks come
weeks later, payments that were blocked report nothing. Loop, topics and service are the real ones; the service is its
own process and is never restarted; nobody decides anything by hand. Only the clock is the stream's.

`make demo` runs it small as its second part, `make loop-test` runs it at length.
"""
