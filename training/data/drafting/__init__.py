"""From a table of unknown payments to a mapping and a platform's declaration, with the evidence for each guess."""
