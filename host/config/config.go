package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/places"
	"github.com/docker/go-units"
)

// Config configures a host. The zero value of each field means its default, see
// [Config.WithDefaults]. Only Backends is required.
type Config struct {
	// StateDir is the directory of what must survive a reboot.
	StateDir string `json:"state_dir"`
	// RunDir is the directory of sockets and other files that need not survive one.
	RunDir string `json:"run_dir"`
	// ExecutorDirs are searched in order for a program davit-executor-NAME. No other
	// place is searched.
	ExecutorDirs []string `json:"executor_dirs"`
	// Cgroup is the path of a cgroup. In it each backend's executor has a cgroup of its
	// own, with all that it starts, except containers that have their own. So whatever
	// is done to the host's cgroup does not affect executors. CgroupOff leaves them in
	// the host's.
	Cgroup string `json:"cgroup"`
	// ForbidHooks refuses new containers whose bundles have hooks: programs that run
	// outside of the container, as the user of the runtime, mostly root.
	ForbidHooks bool   `json:"forbid_hooks,omitzero"`
	API         API    `json:"api"`
	Log         Log    `json:"log"`
	Output      Output `json:"output,omitzero"`
	// Retention configures how long is kept what has ended.
	Retention Retention `json:"retention,omitzero"`
	// Network configures the networks of containers.
	Network Network `json:"network,omitzero"`
	// Metrics configures the metrics of the host and its containers.
	Metrics Metrics `json:"metrics,omitzero"`
	// Debug configures what helps to find faults of the host.
	Debug Debug `json:"debug,omitzero"`
	// CNINetworks are networks that plugins make.
	CNINetworks []CNINetwork `json:"-"`
	// Rules say what users may do, if API.Rules is set.
	Rules []Rule `json:"-"`
	// Defaults are those of all containers, unless their backend has others.
	Defaults Defaults `json:"defaults,omitzero"`
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
	// Group is the name of the group whose members may use the API, beside the user that
	// the host runs as. They are as powerful as that user, mostly root: they can mount any
	// directory of the machine into a container, and the hooks of their bundles run
	// outside of it (see ForbidHooks, which takes the second alone). Empty means no group.
	// With Rules they do what those allow.
	Group string `json:"group"`
	// TLS serves it over TCP as well, to clients with a certificate. Nil means not to.
	TLS *TLS `json:"tls,omitempty"`
	// Rules lets others than root and the host's user do only what one of Config.Rules allows,
	// and nothing if there are none. The API's server enforces it, see package access.
	Rules bool `json:"rules,omitempty"`
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
	// MaxSize is how much of each output stream of a container is kept, as a size such
	// as 256m. The oldest output is dropped first. 0 keeps all of it.
	MaxSize string `json:"max_size"`
}

// MaxBytes returns MaxSize in bytes, 0 for no limit.
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

// CgroupOff is the value of Cgroup that leaves executors in the host's own.
const CgroupOff = "off"

// MinOutput is the smallest limit of an output stream, in bytes. Files are freed in
// blocks, and while a workload writes.
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
	// User is the user that the executor runs as: NAME or UID, optionally followed by
	// :GROUP or :GID. Empty means the host's own user; only root can set another. If you
	// change it for a backend with state, chown its BackendStateDir.
	User string `json:"user"`
	// StartTimeout is how long the start of a container may take, its hooks included, as
	// a duration such as 90s. A start that takes longer fails, and is undone. Containers
	// can have their own. Empty means [DefaultStartTimeout].
	StartTimeout string `json:"start_timeout,omitempty"`
	// Config has the settings that the executor's config schema declares: any value that
	// encodes to a JSON object, or nil.
	Config any `json:"-"`
	// Runtimes are added to those that the executor always has.
	Runtimes []Runtime `json:"-"`
	// DefaultRuntime is the runtime of containers that name none. Empty leaves
	// the choice to the executor.
	DefaultRuntime string `json:"default_runtime"`
	// ImageStore is where the images of its containers are that do not say: host, or backend
	// for images that the backend has itself. Empty means host.
	ImageStore string `json:"image_store,omitempty"`
	// Defaults are those of the backend's containers.
	Defaults Defaults `json:"defaults,omitzero"`

	source *body
}

// DefaultStartTimeout is how long a start may take where nobody says otherwise. Hooks that
// set up networks or fetch something take minutes.
const DefaultStartTimeout = 5 * time.Minute

// StartLimit returns StartTimeout, or its default.
func (b *Backend) StartLimit() time.Duration {
	if d, err := time.ParseDuration(b.StartTimeout); err == nil && d > 0 {
		return d
	}
	return DefaultStartTimeout
}

// Runtime is a named set of the settings that the executor's runtime schema declares.
type Runtime struct {
	// Name is 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter
	// or digit, and unique in a backend.
	Name string
	// Body is any value that encodes to a JSON object, or nil.
	Body any

	at diag.Range
}

// WithDefaults returns a copy of c in which zero fields have their defaults:
//
//	StateDir        /var/lib/davit
//	RunDir          /run/davit
//	ExecutorDirs    /usr/libexec/davit
//	Cgroup          /davit
//	API.Socket      davit.sock in RunDir
//	Log.Level       info
//	Log.Format      text
//	Output.MaxSize  256m
//	Retention       720h for ended containers, 512m for earlier attempts
//	Network         enabled, with subnets from DefaultPool
//	DefaultBackend  the backend, if there is exactly one
//
// For users other than root StateDir is davit in XDG_DATA_HOME (~/.local/share), RunDir is
// davit in XDG_RUNTIME_DIR (/run/user/UID), or else run in StateDir, and Cgroup is CgroupOff.
//
// The Defaults of each backend have the rest of those of c.
func (c Config) WithDefaults() Config {
	setDefault(&c.StateDir, places.State())
	setDefault(&c.RunDir, places.Run())
	if len(c.ExecutorDirs) == 0 {
		c.ExecutorDirs = []string{"/usr/libexec/davit"}
	}
	if os.Geteuid() == 0 {
		setDefault(&c.Cgroup, "/davit")
	}
	setDefault(&c.Cgroup, CgroupOff)
	setDefault(&c.API.Socket, filepath.Join(c.RunDir, "davit.sock"))
	setDefault(&c.Log.Level, "info")
	setDefault(&c.Log.Format, "text")
	setDefault(&c.Output.MaxSize, "256m")
	setDefault(&c.Retention.Ended, "720h")
	setDefault(&c.Retention.AttemptsSize, "512m")
	if c.Network.Enabled == nil {
		c.Network.Enabled = new(true)
	}
	if len(c.Network.Pool) == 0 {
		c.Network.Pool = DefaultPool()
	}
	c.CNINetworks = slices.Clone(c.CNINetworks)
	for i := range c.CNINetworks {
		if n := &c.CNINetworks[i]; len(n.PluginDirs) == 0 {
			n.PluginDirs = DefaultPluginDirs()
		}
	}
	c.Backends = slices.Clone(c.Backends)
	for i := range c.Backends {
		b := &c.Backends[i]
		b.Defaults = b.Defaults.over(c.Defaults)
	}
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

// Backend returns the backend with a name, or nil.
func (c *Config) Backend(name string) *Backend {
	i := slices.IndexFunc(c.Backends, func(b Backend) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Backends[i]
}

// BackendStateDir returns the directory below StateDir that belongs to a backend.
func (c Config) BackendStateDir(name string) string {
	return filepath.Join(c.WithDefaults().StateDir, "backends", name)
}

// BackendRunDir returns the directory below RunDir that belongs to a backend.
func (c Config) BackendRunDir(name string) string {
	return filepath.Join(c.WithDefaults().RunDir, "backends", name)
}
