package main

import (
	"context"
	"os/exec"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// systemctlTimeout bounds the question whether the machine goes down.
const systemctlTimeout = 30 * time.Second

// goingDown reports whether systemd is turning the machine off, or restarting it.
// Containers do not outlive that, and systemd would wait 90 s for one that ignores
// SIGTERM, whatever its own stop signal and timeout are.
func goingDown(ctx context.Context) bool {
	if !linux.SystemdRuns() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, systemctlTimeout)
	defer cancel()
	state, _ := exec.CommandContext(ctx, "systemctl", "is-system-running").Output() // fails unless all is well
	return strings.TrimSpace(string(state)) == "stopping"
}
