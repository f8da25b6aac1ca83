"""What a run is: label spaces, the models of the three YAML kinds, how they are read and merged."""
