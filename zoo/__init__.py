"""What a model is: tasks, backbones, cards, bundles, imaging, explanations."""
