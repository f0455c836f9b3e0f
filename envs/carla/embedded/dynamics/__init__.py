"""The motion of vehicles: engine and gears, tyres, the single-track equations, and the ground below the wheels."""
