"""fxsummary on every model of whole libraries, each in its default configuration, without inputs."""
