package config

import (
	"fmt"

	"github.com/docker/go-units"

	"path/filepath"
	"slices"
)

// Config configures a host. The zero value of each field stands for its default,
// see [Config.WithDefaults]; only Backends must be given.
type Config struct {
	// StateDir holds what must survive a reboot.
	StateDir string `json:"state_dir"`
	// RunDir holds sockets and other files that need not.
	RunDir string `json:"run_dir"`
	// ExecutorDirs are searched in order for a program davit-executor-NAME. No
	// other place is.
	ExecutorDirs []string `json:"executor_dirs"`
	// Cgroup is the path of a cgroup in which each backend's executor, with all
	// that it starts but containers with a cgroup of their own, gets one that is not
	// the host's: what is done to the host's then does not reach it. CgroupOff
	// leaves executors in the host's own.
	Cgroup string `json:"cgroup"`
	API    API    `json:"api"`
	Log    Log    `json:"log"`
	Output Output `json:"output,omitzero"`
	// DefaultBackend is the backend of containers that name none. Empty, with
	// more than one backend, means that each container must name its own.
	DefaultBackend string    `json:"default_backend"`
	Backends       []Backend `json:"-"`

	source *body // nil unless read from files
}

// API configures the HTTP API.
type API struct {
	// Socket is the path of the Unix socket that it is served on.
	Socket string `json:"socket"`
	// Group is the name of the group whose members may use the API beside the
	// user that the host runs as. They can start any container, and so are as
	// powerful as that user. Empty means no group.
	Group string `json:"group"`
}

// Log configures the host's own log.
type Log struct {
	// Level is the least severe level that is logged: trace, debug, info, warn,
	// error or off.
	Level string `json:"level"`
	// Format is text or json.
	Format string `json:"format"`
}

// Output configures what is kept of the output of containers.
type Output struct {
	// MaxSize is how much of each output stream of a container is kept, as a size
	// such as 256m; the oldest is dropped first. 0 keeps all of it.
	MaxSize string `json:"max_size"`
}

// MaxBytes gives MaxSize in bytes, 0 for no limit.
func (o Output) MaxBytes() (int64, error) {
	n, err := units.RAMInBytes(o.MaxSize)
	switch {
	case err != nil || n < 0:
		return 0, fmt.Errorf("%q is not a size such as 256m", o.MaxSize)
	case n != 0 && n < MinOutput:
		return 0, fmt.Errorf("%q is less than %s", o.MaxSize, units.BytesSize(MinOutput))
	}
	return n, nil
}

// CgroupOff is the Cgroup by which executors stay in the host's own.
const CgroupOff = "off"

// MinOutput is the least that can be kept of an output stream, in bytes. Files
// are freed in blocks, and while a workload writes.
const MinOutput = 1 << 20

// Backend is a configured instance of an executor.
type Backend struct {
	// Name is 1 to [MaxBackendName] lower-case letters, digits and single inner
	// dashes, and unique in a Config.
	Name string `json:"-"`
	// Executor names the program: davit-executor-EXECUTOR.
	Executor string `json:"executor"`
	// SHA256 is the digest that the program must have, in hex, or empty.
	SHA256 string `json:"sha256"`
	// User is whom the executor runs as: NAME or UID, with :GROUP or :GID after it
	// or without. Empty is the host's own user; only root can set another. Whoever
	// changes it under a backend with state has to chown its BackendStateDir.
	User string `json:"user"`
	// Config is what the executor's config schema declares: any value that
	// encodes to a JSON object, or nil.
	Config any `json:"-"`
	// Runtimes are added to those that the executor always has.
	Runtimes []Runtime `json:"-"`
	// DefaultRuntime is the runtime of containers that name none. Empty leaves
	// the choice to the executor.
	DefaultRuntime string `json:"default_runtime"`

	source *body
}

// Runtime is a name for what the executor's runtime schema declares.
type Runtime struct {
	// Name is 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter
	// or digit, and unique in a backend.
	Name string
	// Body is any value that encodes to a JSON object, or nil.
	Body any

	at Range
}

// WithDefaults gives a copy of c in which what was left out has its default:
//
//	StateDir        /var/lib/davit
//	RunDir          /run/davit
//	ExecutorDirs    /usr/libexec/davit
//	Cgroup          /davit
//	API.Socket      davit.sock in RunDir
//	Log.Level       info
//	Log.Format      text
//	Output.MaxSize  256m
//	DefaultBackend  the backend, if there is exactly one
func (c Config) WithDefaults() Config {
	setDefault(&c.StateDir, "/var/lib/davit")
	setDefault(&c.RunDir, "/run/davit")
	if len(c.ExecutorDirs) == 0 {
		c.ExecutorDirs = []string{"/usr/libexec/davit"}
	}
	setDefault(&c.Cgroup, "/davit")
	setDefault(&c.API.Socket, filepath.Join(c.RunDir, "davit.sock"))
	setDefault(&c.Log.Level, "info")
	setDefault(&c.Log.Format, "text")
	setDefault(&c.Output.MaxSize, "256m")
	if len(c.Backends) == 1 {
		setDefault(&c.DefaultBackend, c.Backends[0].Name)
	}
	return c
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Backend gives the backend with a name, or nil.
func (c *Config) Backend(name string) *Backend {
	i := slices.IndexFunc(c.Backends, func(b Backend) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Backends[i]
}

// BackendStateDir gives the directory below StateDir that belongs to a backend.
func (c Config) BackendStateDir(name string) string {
	return filepath.Join(c.WithDefaults().StateDir, "backends", name)
}

// BackendRunDir gives the directory below RunDir that belongs to a backend.
func (c Config) BackendRunDir(name string) string {
	return filepath.Join(c.WithDefaults().RunDir, "backends", name)
}
