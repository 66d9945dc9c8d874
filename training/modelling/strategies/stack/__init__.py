"""What `auto` is made of: members, what each would have said unseen, their weights, and the stack in the graph."""
