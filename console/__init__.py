"""The analysts' page: a queue of cases, their verdicts as labels, rules and lists with a second person's approval."""
