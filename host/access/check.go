package access

import (
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Check returns what is most likely wrong with the rules of a config on this machine: users whom
// nobody knows, and what makes those whom a rule is about as powerful as root without saying so.
// All are warnings.
func Check(cfg config.Config) (found diag.Diagnostics) {
	warn := func(r *config.Rule, attr, hint, format string, args ...any) {
		found = append(found, diag.Diagnostic{
			Severity: executor.SeverityWarning, Range: r.At(attr), Message: fmt.Sprintf("rule %q: ", r.Name) + fmt.Sprintf(format, args...), Hint: hint,
		})
	}
	if cfg.API.Rules && cfg.API.Group == "" {
		found = append(found, diag.Diagnostic{
			Severity: executor.SeverityWarning, Range: cfg.At("api", "rules"), Message: "nobody but root and the host's user can connect, so that the rules are about nobody",
			Hint: "name a group of all those whom rules are about: api { group = \"davit\" }",
		})
	}
	for i := range cfg.Rules {
		r := &cfg.Rules[i]
		for _, name := range r.Users {
			if _, ok := number(name, userNumber); !ok {
				warn(r, "users", "make the user, and run davit reload then", "there is no user %q on this machine", name)
			}
		}
		for _, name := range r.Groups {
			if _, ok := number(name, groupNumber); !ok {
				warn(r, "groups", "make the group, and run davit reload then", "there is no group %q on this machine", name)
			}
		}
		if r.Allows(config.MayRun) {
			checkRun(&cfg, r, warn)
		}
	}
	return found.Sorted()
}

// checkRun looks at what containers may have.
func checkRun(cfg *config.Config, r *config.Rule, warn func(r *config.Rule, attr, hint, format string, args ...any)) {
	for i := range cfg.Backends {
		b := &cfg.Backends[i]
		if b.Executor == "process" && b.User == "" && config.MatchesAny(r.Backends, b.Name) {
			warn(r, "backends", "leave it out, or give the backend a user", "backend %q runs processes of this machine as root, so that the rule makes its users root", b.Name)
		}
		if config.MatchesAny(r.Backends, b.Name) && cfg.WithDefaults().Backends[i].Defaults.Network == ocispec.NetworkHost && !slices.Contains(r.Features, config.FeatureHostNetwork) {
			warn(r, "backends", `they have to ask for another one, such as --network none`, "containers of backend %q have the machine's network unless they ask for another, which the rule does not allow", b.Name)
		}
	}
	for _, element := range r.Binds {
		path, readOnly := config.Bind(element)
		var fs unix.Statfs_t
		if readOnly || unix.Statfs(path, &fs) != nil || fs.Flags&unix.ST_NOSUID != 0 {
			continue
		}
		warn(r, "binds", "keep users out of it, mount it with nosuid and nodev, or write :ro",
			"%s is not mounted with nosuid: root of a container can leave a set-uid program there for users of this machine", path)
	}
}
