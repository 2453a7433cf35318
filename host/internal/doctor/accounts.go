package doctor

import (
	"context"
	"errors"
	"os/user"
	"strings"
)

var _ = add(55, "accounts", lookAtAccounts)

// lookAtAccounts looks for the users and groups that the config names.
func lookAtAccounts(_ context.Context, p *Patient, r *report) {
	if name := p.Config.API.Group; name != "" {
		_, err := user.LookupGroup(name)
		switch {
		case errors.As(err, new(user.UnknownGroupError)):
			r.fail("groupadd --system "+name+", or name another one", "there is no group %s, which the config lets use the API", name)
		case err != nil:
			r.unread("group "+name, err)
		default:
			r.ok("members of the group %s may use the API, and so are as powerful as the host", name)
		}
	}
	for _, b := range p.Config.Backends {
		name, _, _ := strings.Cut(b.User, ":")
		if name == "" || strings.Trim(name, "0123456789") == "" { // a number needs no entry
			continue
		}
		_, err := user.Lookup(name)
		switch {
		case errors.As(err, new(user.UnknownUserError)):
			r.fail("useradd --system "+name+", or name another one", "there is no user %s, as which the executor of backend %s is to run", name, b.Name)
		case err != nil:
			r.unread("user "+name, err)
		default:
			r.ok("the executor of backend %s runs as %s", b.Name, name)
		}
	}
}
