package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"golang.org/x/sys/unix"
)

// Patient is what is examined: a machine, a config, and the host that runs, if one does.
type Patient struct {
	// Config is the config with its defaults, ConfigName what users call it, and Problems what
	// was found when it was read.
	Config     config.Config
	ConfigName string
	Problems   diag.Diagnostics
	// Client calls the host.
	Client *api.Client
	// Version is that of this program.
	Version string
	// Validate asks the executors about the config, and Live the backends of the running host
	// that are ready.
	Validate func(ctx context.Context) diag.Diagnostics
	Live     func(ctx context.Context) (diag.Diagnostics, error)

	root string // of proc, sys, usr and dev; "" is /
	path string // that programs are looked for in

	host      *api.Version // of the host that runs, nil if none can be asked
	hostErr   error        // why not
	forbidden bool         // to ask, whether or not one runs
}

// answerTime is how long a host may take to say that it is there. Seen: milliseconds.
const answerTime = 5 * time.Second

// meet finds out whether a host runs.
func (p *Patient) meet(ctx context.Context) {
	if p.path == "" {
		p.path = os.Getenv("PATH") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if p.Client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	v, err := p.Client.Version(ctx)
	if err != nil {
		p.hostErr = err
		p.forbidden = errors.Is(unix.Access(p.Config.API.Socket, unix.W_OK), unix.EACCES)
		return
	}
	p.host = &v
}

// at returns where a path of the machine is.
func (p *Patient) at(path string) string { return filepath.Join("/", p.root, path) }

// read returns the text of a file of the machine, without white space around it.
func (p *Patient) read(path string) (string, error) {
	b, err := os.ReadFile(p.at(path))
	return strings.TrimSpace(string(b)), err
}

// number returns the number in a file of the machine.
func (p *Patient) number(path string) (int64, error) {
	text, err := p.read(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// process returns the directory in /proc of the host, or of this process.
func (p *Patient) process() (dir, whose string) {
	if p.host != nil && p.host.PID > 0 {
		return "/proc/" + strconv.Itoa(p.host.PID), "the host"
	}
	return "/proc/self", "this process"
}

// find returns the path of a program, "" if there is none.
func (p *Patient) find(program string) string {
	for _, dir := range filepath.SplitList(p.path) {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
