package elasticsearch

import (
	"os"
	"testing"

	"github.com/liveward/liveward/internal/estest"
)

func TestMain(m *testing.M) { os.Exit(estest.Run(m)) }
