"""How far methods drive when fewer target images are labelled: Figure 5 of the task-distillation paper, here."""
