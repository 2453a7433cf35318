package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/ocispec"
)

// MaxBackendName is the longest name of a backend, in bytes.
const MaxBackendName = 32

const (
	maxSocketPath  = 107 // bytes, what the kernel takes for a Unix socket
	maxSocketName  = 24  // bytes, what executor.Environment promises for RunDir
	maxRuntimeName = 64
)

var (
	backendName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	runtimeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)
	userForm    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.-]*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?$`)
	sha256Hex   = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

func logLevels() []string  { return []string{"trace", "debug", "info", "warn", "error", "off"} }
func logFormats() []string { return []string{"text", "json"} }

// Validate checks the host's own part of c with its defaults, without any I/O.
// [Backend.Decode] checks the executors' part.
func (c *Config) Validate() diag.Diagnostics {
	d := c.WithDefaults()
	v := &validator{source: c.source}
	v.path(d.StateDir, "state_dir")
	v.path(d.RunDir, "run_dir")
	if filepath.Clean(d.StateDir) == filepath.Clean(d.RunDir) {
		v.Fail(v.at("run_dir"), "give each a directory of its own", "state_dir and run_dir are both %q", d.RunDir)
	}
	for _, dir := range d.ExecutorDirs {
		v.path(dir, "executor_dirs")
	}
	if d.Cgroup != CgroupOff && (!filepath.IsAbs(d.Cgroup) || d.Cgroup == "/" || filepath.Clean(d.Cgroup) != d.Cgroup) {
		v.Fail(v.at("cgroup"), `write the path of a cgroup, such as "/davit", or "off"`, "cgroup %q is neither a path below / nor %q", d.Cgroup, CgroupOff)
	}
	v.path(d.API.Socket, "api", "socket")
	v.socket(len(d.API.Socket), "choose a shorter path", "api", "socket")
	v.tls(d.API.TLS)
	v.oneOf(d.Log.Level, logLevels(), "log", "level")
	v.oneOf(d.Log.Format, logFormats(), "log", "format")
	if _, err := d.Output.MaxBytes(); err != nil {
		v.Fail(v.at("output", "max_size"), `write a number of bytes, or one with a unit: "64m", "1g", or "0" for no limit`, "output.max_size: %v", err)
	}
	if _, err := d.Retention.EndedAge(); err != nil {
		v.Fail(v.at("retention", "ended"), `write a duration, such as "720h", or "0" to keep what has ended`, "retention.ended: %v", err)
	}
	if _, err := d.Retention.AttemptsBytes(); err != nil {
		v.Fail(v.at("retention", "attempts_size"), `write a number of bytes, or one with a unit: "512m", "1g", or "0" for no limit`, "retention.attempts_size: %v", err)
	}
	if _, err := d.Network.Subnets(); err != nil {
		v.Fail(v.at("network", "pool"), `write such as ["10.209.0.0/16"]`, "network.pool: %v", err)
	}
	if _, _, err := d.Metrics.Listen(); err != nil {
		v.Fail(v.at("metrics", "address"), `write such as "127.0.0.1:9323"`, "metrics.address: %v", err)
	}
	if err := d.Metrics.checkLabels(); err != nil {
		v.Fail(v.at("metrics", "labels"), `write such as ["team", "env"]`, "metrics.labels: %v", err)
	}
	v.cniNetworks(d.CNINetworks)
	v.rules(&d)
	v.defaults(c.Defaults, v.source, v.at())

	if len(d.Backends) == 0 {
		v.Fail(v.at(), `add backend "NAME" { executor = "…" }`, "no backend is configured")
	}
	var all []string
	for i := range d.Backends {
		b := &d.Backends[i]
		v.backend(b)
		v.defaults(c.Backends[i].Defaults, b.source, b.at())
		if j := slices.Index(all, b.Name); j >= 0 {
			v.Fail(b.at(), "rename one of them", "backend %q is already defined%s", b.Name, atPlace(d.Backends[j].at()))
		}
		all = append(all, b.Name)
	}
	if name := d.DefaultBackend; name != "" && !slices.Contains(all, name) {
		v.Fail(v.at("default_backend"), suggest(name, all), "default_backend %q is not configured", name)
	}
	if longest := slices.MaxFunc(append(all, ""), func(a, b string) int { return len(a) - len(b) }); len(longest) <= MaxBackendName {
		v.socket(len(d.BackendRunDir(longest))+len("/x/")+maxSocketName, "choose a shorter run_dir", "run_dir")
	}
	return v.Sorted()
}

type validator struct {
	source *body
	diag.Diagnostics
}

// at returns the place of an attribute, or the nearest to it.
func (v *validator) at(path ...string) diag.Range {
	at, _ := v.source.locate(path...)
	return at
}

func (v *validator) path(path string, attr ...string) {
	name := strings.Join(attr, ".")
	switch {
	case strings.ContainsRune(path, 0):
		v.Fail(v.at(attr...), "", "%s %q holds a zero byte", name, path)
	case !filepath.IsAbs(path):
		v.Fail(v.at(attr...), "write it from / on", "%s %q is not an absolute path", name, path)
	}
}

func (v *validator) socket(length int, hint string, attr ...string) {
	if length > maxSocketPath {
		v.Fail(v.at(attr...), hint, "%s makes the path of a Unix socket %d bytes long, at most %d are possible", strings.Join(attr, "."), length, maxSocketPath)
	}
}

func (v *validator) oneOf(value string, allowed []string, attr ...string) {
	if !slices.Contains(allowed, value) {
		v.Fail(v.at(attr...), suggest(value, allowed), "%s %q is not known", strings.Join(attr, "."), value)
	}
}

// defaults checks the defaults of containers that a body sets.
func (v *validator) defaults(d Defaults, source *body, otherwise diag.Range) {
	at := func(name string) diag.Range {
		if place, exact := source.locate("defaults", name); exact {
			return place
		}
		return otherwise
	}
	if _, err := d.Limits(); err != nil {
		v.Fail(at("ulimits"), `write such as { nofile = "1024:65536", core = "-1" }`, "defaults.ulimits: %v", err)
	}
	if n := d.Network; n != "" && n != ocispec.NetworkNone && n != ocispec.NetworkHost && n != ocispec.NetworkUser && ocispec.ValidateNetworkName(n) != nil {
		v.Fail(at("network"), fmt.Sprintf("write %q, %q, %q or the name of a network", ocispec.NetworkNone, ocispec.NetworkHost, ocispec.NetworkUser), "defaults.network %q cannot be the name of a network", n)
	}
	if p := d.SeccompProfile; p != "" && p != ocispec.SeccompBuiltin && p != ocispec.SeccompUnconfined && !filepath.IsAbs(p) {
		v.Fail(at("seccomp_profile"), fmt.Sprintf("write %q, %q or the path of a file", ocispec.SeccompBuiltin, ocispec.SeccompUnconfined), "defaults.seccomp_profile %q is not an absolute path", p)
	}
}

func (v *validator) backend(b *Backend) {
	if why := badName(b.Name); why != "" {
		v.Fail(b.at(), "use lower-case letters, digits and single inner dashes", "backend name %q %s", b.Name, why)
	}
	switch {
	case b.Executor == "" && b.source.find("executor") == nil:
		v.Fail(b.at(), `add executor = "NAME" of a program davit-executor-NAME`, "backend %q has no executor", b.Name)
	case badName(b.Executor) != "":
		v.Fail(b.at("executor"), "give the NAME of a program davit-executor-NAME", "executor %q of backend %q %s", b.Executor, b.Name, badName(b.Executor))
	}
	if b.SHA256 != "" && !sha256Hex.MatchString(b.SHA256) {
		v.Fail(b.at("sha256"), "sha256sum prints it", "sha256 of backend %q is not 64 hexadecimal digits", b.Name)
	}
	if b.User != "" && !userForm.MatchString(b.User) {
		v.Fail(b.at("user"), `write a name or a uid, and if need be a group: "davit", "davit:davit" or "990:990"`, "user %q of backend %q is not of the form USER or USER:GROUP", b.User, b.Name)
	}
	if b.ImageStore != "" && b.ImageStore != "host" && b.ImageStore != "backend" {
		v.Fail(b.at("image_store"), "host is davit's own store; backend is what the backend has itself", "image_store %q of backend %q is neither host nor backend", b.ImageStore, b.Name)
	}
	if d, err := time.ParseDuration(b.StartTimeout); b.StartTimeout != "" && (err != nil || d <= 0) {
		v.Fail(b.at("start_timeout"), `write how long a start may take: "90s", "10m"`, "start_timeout %q of backend %q is not a duration above 0", b.StartTimeout, b.Name)
	}
	for i, r := range b.Runtimes {
		switch {
		case len(r.Name) > maxRuntimeName:
			v.Fail(r.at, "", "runtime name %.20q… in backend %q has %d bytes, at most %d are allowed", r.Name, b.Name, len(r.Name), maxRuntimeName)
		case !runtimeName.MatchString(r.Name):
			v.Fail(r.at, "use letters, digits, '.', '_' and '-', beginning with a letter or digit", "runtime name %q in backend %q is not allowed", r.Name, b.Name)
		}
		j := slices.IndexFunc(b.Runtimes, func(o Runtime) bool { return o.Name == r.Name })
		if j < i {
			v.Fail(r.at, "rename one of them", "runtime %q in backend %q is already defined%s", r.Name, b.Name, atPlace(b.Runtimes[j].at))
		}
	}
}

// badName says what is wrong with the name of a backend or executor.
func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxBackendName:
		return fmt.Sprintf("has %d bytes, at most %d are allowed", len(name), MaxBackendName)
	case !backendName.MatchString(name):
		return "is not allowed"
	}
	return ""
}

func atPlace(r diag.Range) string {
	if r.File == "" {
		return ""
	}
	return " at " + r.String()
}

// at returns the place of an attribute of b, or the nearest to it.
func (b *Backend) at(path ...string) diag.Range {
	at, _ := b.source.locate(path...)
	return at
}
