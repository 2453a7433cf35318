package main

import (
	"encoding/json"
	"os"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/honoured"
)

// honours are the fields of an OCI runtime spec that this executor honours. A spec that asks
// for anything else, such as a limit, a volume or a read-only root, is refused by name. What is
// in the second row every container's spec has, and a plain process goes without.
var honours = honoured.Fields{
	"ociVersion", "annotations", "process.args", "process.env", "process.cwd", "process.user.uid", "process.user.gid", "root.path",
	"process.user.additionalGids", "process.capabilities", "process.rlimits", "process.oomScoreAdj", "linux.seccomp", "linux.cgroupsPath",
}

// spec is what this executor reads of a spec.
type spec struct {
	Process struct {
		Args []string `json:"args"`
		Env  []string `json:"env"`
		Cwd  string   `json:"cwd"`
		User struct {
			UID uint32 `json:"uid"`
			GID uint32 `json:"gid"`
		} `json:"user"`
	} `json:"process"`
	Root struct {
		Path string `json:"path"`
	} `json:"root"`
}

func readSpec(text json.RawMessage) (spec, error) {
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return s, executor.Errorf(executor.Invalid, "the spec is malformed: %w", err)
	}
	if len(s.Process.Args) == 0 || s.Process.Args[0] == "" {
		return s, executor.Errorf(executor.Invalid, "the spec has no process.args")
	}
	if s.Process.Cwd == "" {
		s.Process.Cwd = "/"
	}
	return s, nil
}

// chroot returns the root directory of the process, or "" for that of the machine.
func (s spec) chroot() string {
	if s.Root.Path == "/" {
		return ""
	}
	return s.Root.Path
}

// credential returns the user of the process, or nil for the same user.
func (s spec) credential() *syscall.Credential {
	if u := s.Process.User; u.UID != 0 || u.GID != 0 || os.Geteuid() == 0 {
		return &syscall.Credential{Uid: u.UID, Gid: u.GID}
	}
	return nil
}
