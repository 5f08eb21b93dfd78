"""Pure computation on tensors: the objective, its descent, the flow and the recurrence."""
