package host

import (
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/host/internal/trust"
	"github.com/davit-run/davit/shared/executor"
)

// owner gives whom the executor of a backend runs as.
func (b *backend) owner() (supervisor.User, error) {
	self := supervisor.User{UID: os.Geteuid(), GID: os.Getegid()}
	if b.config.User == "" {
		return self, nil
	}
	user, err := supervisor.LookUpUser(b.config.User)
	if err == nil && user != self && self.UID != 0 {
		err = executor.Errorf(executor.FailedPrecondition, "user %q: only a host that runs as root can start an executor as another user; remove it, or run the host as root", b.config.User)
	}
	return user, err
}

// makeRoom gives the owner of a backend its directory for state, and lets it reach
// what it has to.
func (h *Host) makeRoom(b *backend) (supervisor.User, error) {
	user, err := b.owner()
	if err != nil {
		return user, err
	}
	stateDir, runDir := h.config.BackendStateDir(b.config.Name), h.config.BackendRunDir(b.config.Name)
	if user.UID != os.Geteuid() {
		for _, dir := range []string{h.config.StateDir, h.config.RunDir, filepath.Dir(stateDir), filepath.Dir(runDir)} {
			if err := trust.Passable(dir); err != nil {
				return user, err
			}
		}
		for _, dir := range []string{stateDir, runDir} {
			if err := trust.Reachable(filepath.Dir(dir), user.UID, user.GID); err != nil {
				return user, err
			}
		}
	}
	return user, trust.Dir(stateDir, 0o700, user.UID, user.GID)
}
