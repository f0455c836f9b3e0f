"""What acts: networks, controllers, agents, and how source policies are learnt."""
