package otlp

import "github.com/liveward/liveward/collectors/push"

// Protocol is what the collector speaks.
func Protocol() push.Protocol { return protocol{} }
