package holder

import (
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"github.com/davit-run/davit/host/publish"
)

// Socket is the name of the socket on which a holder answers.
const Socket = "socket"

// Config is what a holder is to do.
type Config struct {
	// ID is the container's.
	ID string `json:"id"`
	// Ports are bound: none is left open.
	Ports []publish.Port `json:"ports"`
	// Target is the container's address, and Target6 that of IPv6, if it has one.
	Target  netip.Addr `json:"target"`
	Target6 netip.Addr `json:"target6,omitzero"`
	// Tied means that the holder ends when its input ends: with the process that started
	// it, or when that wants so.
	Tied bool `json:"tied,omitempty"`
	// Keep means that it inherits a file, after the sockets, that it keeps open for as long
	// as it has the ports.
	Keep bool `json:"keep,omitempty"`
}

// Request changes what a holder does.
type Request struct {
	// Target, if it is valid, and Target6 replace those of the config, for connections that
	// come from then on.
	Target  netip.Addr `json:"target,omitzero"`
	Target6 netip.Addr `json:"target6,omitzero"`
}

// State is what a holder does.
type State struct {
	ID      string         `json:"id"`
	Ports   []publish.Port `json:"ports"`
	Target  netip.Addr     `json:"target"`
	Target6 netip.Addr     `json:"target6,omitzero"`
}

func (h *holder) state() State {
	return State{h.config.ID, h.config.Ports, *h.target.Load(), *h.target6.Load()}
}

// Files are what a holder inherits.
type Files struct {
	Input, Report, Log, Lock *os.File
	// Sockets has one for each port.
	Sockets []*os.File
	// Keep, unless nil, is what [Config.Keep] is about.
	Keep *os.File
}

// Command returns the command of a holder with a working directory.
func Command(dir, id string, files Files) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe") // also after its file was replaced
	cmd.Args = []string{"davit-port-holder", id}
	cmd.Dir = dir
	// What has been freed is given back soon: a holder has little that lives.
	cmd.Env = []string{envRole + "=1", "GOGC=25"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files.Input, files.Report, files.Log
	cmd.ExtraFiles = append([]*os.File{files.Lock}, files.Sockets...)
	if files.Keep != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, files.Keep)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// Ask sends a request to a holder and returns its answer. The caller bounds it.
func Ask(conn io.ReadWriter, r Request) (s State, err error) {
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return State{}, err
	}
	err = json.NewDecoder(conn).Decode(&s)
	return s, err
}
