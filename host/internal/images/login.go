package images

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/registry"
	"github.com/davit-run/davit/shared/executor"
)

// Login keeps credentials for a registry; see the method of host.Host.
func (m *Manager) Login(ctx context.Context, creds api.Credentials) (api.LoggedIn, error) {
	host, err := registry.Host(creds.Registry)
	if err != nil {
		return api.LoggedIn{}, err
	}
	if creds.User == "" || creds.Password == "" {
		return api.LoggedIn{}, executor.Errorf(executor.Invalid, "a user and a password are needed to log in to registry %s", host)
	}
	m.logins.Lock()
	defer m.logins.Unlock()
	plain, err := registry.Login(ctx, host, creds.User, creds.Password)
	return api.LoggedIn{Registry: host, PlainIn: plain}, err
}

// Logout forgets the credentials for a registry, and returns which one that is.
func (m *Manager) Logout(ctx context.Context, name string) (string, error) {
	host, err := registry.Host(name)
	if err != nil {
		return "", err
	}
	m.logins.Lock()
	defer m.logins.Unlock()
	return host, registry.Logout(ctx, host)
}
