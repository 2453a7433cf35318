// Package places says where a host of this user has its directories, unless its config says
// otherwise.
//
// # Rationale
//
// Why has a user who is not root other places? Root's cannot be written. Those of the XDG Base
// Directory Specification are the user's own, and other programs keep there what is alike.
//
// Why is XDG_RUNTIME_DIR passed over if another user owns it? su and sudo leave it as it was.
package places

import (
	"cmp"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Config returns the directory of configs: /etc/davit for root, and davit in XDG_CONFIG_HOME
// or ~/.config for others.
func Config() string { return own("/etc/davit", "XDG_CONFIG_HOME", ".config") }

// State returns the directory of what must survive a reboot: /var/lib/davit for root, and davit
// in XDG_DATA_HOME or ~/.local/share for others.
func State() string { return own("/var/lib/davit", "XDG_DATA_HOME", ".local/share") }

// Run returns the directory of sockets: /run/davit for root, and davit in XDG_RUNTIME_DIR or
// /run/user/UID for others, or else run in State.
func Run() string {
	uid := os.Geteuid()
	if uid == 0 {
		return systemRun
	}
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), filepath.Join("/run/user", strconv.Itoa(uid))} {
		info, err := os.Stat(dir)
		if err != nil || !filepath.IsAbs(dir) {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid {
			return filepath.Join(dir, "davit")
		}
	}
	return filepath.Join(State(), "run")
}

// Socket returns the path of the socket of a host: that of this user's own host, or, if there
// is none, that of root's, which may let this user in.
func Socket() string {
	const name = "davit.sock"
	own, system := filepath.Join(Run(), name), filepath.Join(systemRun, name)
	if _, err := os.Stat(own); err != nil {
		if _, err := os.Stat(system); err == nil {
			return system
		}
	}
	return own
}

const systemRun = "/run/davit"

// own returns a directory of root's, or one of this user's in a directory that a variable
// names, or else in the home directory.
func own(root, variable, inHome string) string {
	if os.Geteuid() == 0 {
		return root
	}
	dir := os.Getenv(variable)
	if !filepath.IsAbs(dir) { // the specification wants it to be passed over
		dir = filepath.Join(home(), inHome)
	}
	return filepath.Join(dir, "davit")
}

// home returns the home directory of this user.
func home() string {
	dir, _ := os.UserHomeDir()
	if dir == "" {
		if u, err := user.Current(); err == nil {
			dir = u.HomeDir
		}
	}
	return cmp.Or(dir, "/")
}
