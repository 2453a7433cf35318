package backends

import (
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trust"
)

// Owner returns the user that the executor of a backend runs as.
func (b *Backend) Owner() (supervisor.User, error) { return ownerOf(b.Config()) }

func ownerOf(cfg *config.Backend) (supervisor.User, error) {
	self := supervisor.User{UID: os.Geteuid(), GID: os.Getegid()}
	if cfg.User == "" {
		return self, nil
	}
	user, err := supervisor.LookUpUser(cfg.User)
	if err == nil && user != self && self.UID != 0 {
		err = executor.Errorf(executor.FailedPrecondition, "user %q: only a host that runs as root can start an executor as another user; remove it, or run the host as root", cfg.User)
	}
	return user, err
}

// makeStateDir makes the directory for a backend's state, lets the owner reach what it
// has to, and returns the owner.
func (s *Set) makeStateDir(b *Backend) (supervisor.User, error) {
	user, err := b.Owner()
	if err != nil {
		return user, err
	}
	stateDir, runDir := s.stateDir(b.Config().Name), s.runDir(b.Config().Name)
	if user.UID != os.Geteuid() {
		for _, dir := range []string{s.config().StateDir, s.config().RunDir, filepath.Dir(stateDir), filepath.Dir(runDir)} {
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
