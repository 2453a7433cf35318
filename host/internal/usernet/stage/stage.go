// Package stage turns a process of this program into a helper of a network namespace, and has it
// recorded before that.
package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Record is the name of the file with the process.
const Record = "process.json"

// Process is a process of this boot of the machine.
type Process struct {
	Boot  string `json:"boot"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot
}

// Config is what a stage becomes.
type Config struct {
	Program string   `json:"program"`
	Args    []string `json:"args"` // with the program's name
}

// Files are the open files of a stage. The helper has Log and those after it.
type Files struct {
	// Input brings the config. If it ends without one, the stage does so too.
	Input *os.File
	Log   *os.File
	// Lock is locked until the stage has become the helper.
	Lock *os.File
	// UserNS, unless nil, is for the helper, as descriptor [UserNSFD].
	UserNS *os.File
}

// UserNSFD is the descriptor of Files.UserNS.
const (
	lockFD   = 3
	UserNSFD = 4
)

// envRole is the environment variable of a stage.
const envRole = "DAVIT_USER_NETWORK"

// Command returns the command of a stage with a working directory, in which it records itself.
func Command(dir, id string, files Files) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe") // also after its file was replaced
	cmd.Args = []string{"davit-user-network", id}
	cmd.Dir = dir
	cmd.Env = []string{envRole + "=1", "PATH=" + os.Getenv("PATH"), "GOMAXPROCS=1"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files.Input, files.Log, files.Log
	if files.Lock != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, files.Lock)
	}
	if files.UserNS != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, files.UserNS)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// init runs a stage: before main, and before the packages are initialized that only the host
// needs.
func init() { //nolint:gochecknoinits // for that reason
	if os.Getenv(envRole) == "" {
		return
	}
	fmt.Fprintln(os.Stderr, run())
	os.Exit(1)
}

// run is a stage's life. It returns only if it fails.
func run() error {
	unix.CloseOnExec(lockFD)
	unix.Umask(0o077)
	var c Config
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return fmt.Errorf("read config: %w", err) // its sender was killed, or wants no helper
	}
	if err := record(); err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err == nil {
		err = unix.Dup2(int(null.Fd()), 0)
	}
	return errors.Join(err, os.Unsetenv(envRole), syscall.Exec(c.Program, c.Args, os.Environ()))
}

// record writes the record of this process, whole or not at all.
func record() error {
	stat, err := linux.StatOf(os.Getpid())
	if err != nil {
		return err
	}
	boot, err := linux.BootID()
	if err != nil {
		return err
	}
	text, err := json.Marshal(Process{Boot: boot, PID: os.Getpid(), Start: stat.Start})
	if err != nil {
		return err
	}
	if err := os.WriteFile(Record+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(Record+".new", Record)
}
